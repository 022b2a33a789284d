"""A run is what a plain `fit` of a new model is, to the bit on TensorFlow and PyTorch."""

import keras
import numpy as np
import pytest
from support.comparisons import BATCH_SIZE, DATA, EPOCHS, UPDATES, build_model
from support.tiers import once, rest

from keras_lr import callbacks, schedules
from keras_lr.comparison.bench import Bench, Plan
from keras_lr.comparison.protocol import CHOOSE, REPORT, Task
from keras_lr.keras_private.building import build_all

CONTENDERS = {
    "linear": schedules.LinearDecay(1.0, "100%"),
    "recipe": schedules.LinearToZero,
    "plateau": callbacks.ReduceLROnPlateau(patience=1, verbose=0),
    "theirs": keras.callbacks.ReduceLROnPlateau(patience=1),
    "driven": lambda peak: callbacks.FitSchedule(schedules.LinearDecay(peak, "100%")),
}


@pytest.fixture(scope="module")
def bench():
    return Bench(Plan(build_model, DATA, CONTENDERS, EPOCHS, BATCH_SIZE))


def weights_of_fit(seed, rate, used=()):
    model = build_model(seed, rate)
    # A plain first `fit` reads its data once more to build the metrics, and shuffles otherwise.
    build_all(model, tuple(part[:BATCH_SIZE] for part in DATA["train"]))
    keras.utils.set_random_seed(seed)
    validation = {"validation_data": DATA["validation"], "validation_batch_size": BATCH_SIZE}
    options = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "verbose": 0}
    model.fit(*DATA["train"], **options, callbacks=list(used), **(validation if used else {}))
    return model.get_weights()


def weights_of_run(bench, name, rate, seed):
    outcome = bench.make(Task(name, rate, seed, REPORT))
    model = bench._for_table.model if name in ("linear", "recipe") else bench._for_callbacks.model
    found = model.evaluate(*DATA["test"], batch_size=BATCH_SIZE, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(outcome.value, rel=1e-5)
    return model.get_weights()


# A run before and one between: of another seed, and at a rate that breaks the weights.
@once
@pytest.mark.parametrize("name", CONTENDERS)
def test_a_run_is_what_a_plain_fit_is(bench, name):
    rate = 0.0625
    plain = {
        "linear": lambda: (schedules.LinearDecay(rate, UPDATES),),
        "recipe": lambda: (schedules.LinearToZero(rate, UPDATES),),
        "plateau": lambda: (rate, [callbacks.ReduceLROnPlateau(patience=1, verbose=0)]),
        "theirs": lambda: (rate, [keras.callbacks.ReduceLROnPlateau(patience=1)]),
        "driven": lambda: (
            rate,
            [callbacks.FitSchedule(schedules.LinearDecay(rate, UPDATES))],
        ),
    }
    for seed in (3, 0):
        bench.make(Task(name, 1e8, 1, CHOOSE))
        expected = weights_of_fit(seed, *plain[name]())
        for found, right in zip(weights_of_run(bench, name, rate, seed), expected, strict=True):
            if keras.config.backend() == "jax":
                # A step of JAX counts in float32.
                np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-6)
            else:
                np.testing.assert_array_equal(found, right)


@once
def test_one_step_is_compiled_for_all_runs(bench):
    bench.make(Task("linear", 0.1, 0, CHOOSE))
    model = bench._for_table.model
    step = model.train_function
    for name, rate in [("recipe", 0.2), ("constant", 0.05), ("linear", 0.3)]:
        bench.make(Task(name, rate, 1, REPORT))
    assert bench._for_table.model is model and model.train_function is step


@once
def test_a_run_that_breaks_has_no_value(bench):
    outcome = bench.make(Task("constant", 1e12, 0, CHOOSE))
    assert outcome.value is None and outcome.metrics["loss"] is None


@rest
@pytest.mark.parametrize("wrapped", ["accumulation", "loss scale", "multi"])
def test_rates_are_those_of_updates_whatever_the_optimizer(wrapped):
    def build(seed, rate=0.125):
        model = build_model(seed, rate)
        if wrapped == "accumulation":
            own = keras.optimizers.SGD(rate, gradient_accumulation_steps=5)
        elif wrapped == "loss scale":
            own = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(rate))
        else:
            first = {model.layers[0].name: keras.optimizers.Adam(rate)}
            groups = keras.optimizers.OptimizerMap(keras.optimizers.SGD(rate), first)
            own = keras.optimizers.MultiOptimizer(groups)
        model.compile(own, "mse")
        return model

    rates = np.linspace(1.0, 0.2, 3 if wrapped == "accumulation" else UPDATES)
    bench = Bench(Plan(build, DATA, {"array": rates}, EPOCHS, BATCH_SIZE))
    bench.make(Task("array", 0.25, 2, REPORT))
    # By hand: before each batch the rate is set to that of its update.
    model, every = build(2), 5 if wrapped == "accumulation" else 1
    build_all(model, tuple(part[:BATCH_SIZE] for part in DATA["train"]))

    class ByHand(keras.callbacks.Callback):
        batch = 0

        def on_train_batch_begin(self, batch, logs=None):
            rate = 0.25 * rates[self.batch // every]
            outer = self.model.optimizer
            inner = getattr(outer, "inner_optimizer", outer)
            for each in getattr(inner, "optimizers", [inner]):
                each.learning_rate = rate
            self.batch += 1

    keras.utils.set_random_seed(2)
    options = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "verbose": 0}
    model.fit(*DATA["train"], **options, callbacks=[ByHand()])
    for found, right in zip(bench._for_table.model.get_weights(), model.get_weights()):
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-6)
