"""What logs and loggers say of the rate, beside every callback that drives it."""

import warnings

import keras
import numpy as np
import pytest
from support import effective_rates, unit_gradient
from support.effective_rates import CASES, EPOCHS, LOSSES, OPTIMIZERS, PER_EPOCH
from support.loggers import Mlflow, Wandb
from support.tiers import cells, once
from support.unit_gradient import Feed

from keras_lr import callbacks, discriminative, schedules

BACKEND = effective_rates.BACKEND


def run(case, optimizer="float", listed="first", **options):
    """Returns the applied rates, the history, and the loggers, listed before or after ours."""
    model = unit_gradient.build(OPTIMIZERS[optimizer][0]())
    wandb, mlflow = Wandb(), Mlflow()
    used = [Feed(LOSSES), *CASES[case][0]()]
    used = [wandb, *used, mlflow] if listed == "first" else [*used, mlflow, wandb]
    history = unit_gradient.fit(model, PER_EPOCH, EPOCHS, used, **options)
    return unit_gradient.applied(model), history.history, wandb, mlflow


def ends(applied):
    return applied[PER_EPOCH - 1 :: PER_EPOCH]


@pytest.mark.parametrize("case", cells(CASES, ["fit schedule", "plateau", "loss threshold"]))
def test_the_applied_rate_is_in_the_logs_and_in_loggers_listed_first(case):
    applied, history, wandb, mlflow = run(case)
    np.testing.assert_allclose(history["learning_rate"], ends(applied), atol=2e-6)
    assert history["learning_rate"] == [row["learning_rate"] for row in mlflow.epochs]
    read = [row["epoch/learning_rate"] for row in wandb.epochs]
    np.testing.assert_allclose(read, ends(applied), atol=2e-6)
    np.testing.assert_allclose(wandb.batches, applied, atol=2e-6)


# Where the rate is a number in its variable, a cut is there at once, as Keras' own: list loggers
# that read the optimizer before.
COMPILED_IN = [
    "fit schedule",
    "warmup",
    "random jitter",
    "factors together",
    "schedule and factors",
]


@once
@pytest.mark.parametrize("case", cells(COMPILED_IN, ["factors together"]))
def test_loggers_listed_last_have_the_applied_rate(case):
    applied, history, wandb, _ = run(case, listed="last")
    read = [row["epoch/learning_rate"] for row in wandb.epochs]
    np.testing.assert_allclose(read, ends(applied), atol=2e-6)
    np.testing.assert_allclose(wandb.batches, applied, atol=2e-6)
    np.testing.assert_allclose(history["learning_rate"], ends(applied), atol=2e-6)


OTHERS = ["schedule", "Keras schedule", "loss scale, float"]


@pytest.mark.parametrize("listed", ["first", "last"])
@pytest.mark.parametrize("optimizer", cells(OTHERS, ["schedule"]))
def test_on_every_optimizer(optimizer, listed):
    applied, history, wandb, _ = run("factors together", optimizer, listed)
    read = [row["epoch/learning_rate"] for row in wandb.epochs]
    np.testing.assert_allclose(read, ends(applied), atol=2e-6)
    np.testing.assert_allclose(wandb.batches, applied, atol=2e-6)
    np.testing.assert_allclose(history["learning_rate"], ends(applied), atol=2e-6)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras refuses it on PyTorch")
def test_under_steps_per_execution_loggers_have_the_last_update_of_the_group():
    model, wandb = unit_gradient.build(keras.optimizers.SGD(0.4), steps_per_execution=2), Wandb()
    used = [callbacks.Warmup(8), wandb]
    history = unit_gradient.fit(model, 4, 2, used).history
    expected = 0.4 * np.arange(1, 9) / 8
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)
    np.testing.assert_allclose(wandb.batches, expected[1::2], atol=2e-6)
    np.testing.assert_allclose(history["learning_rate"], expected[3::4], atol=2e-6)


def test_several_updates_per_batch_are_made_at_their_own_rates():
    """Reading outside an update must never be mistaken for one: each weight moves by its rate."""

    class Twice(keras.Model):
        def train_step(self, data):
            for _ in range(2):
                self(data[0], training=True)
                weights = self.trainable_variables
                self.optimizer.apply([keras.ops.ones_like(w) for w in weights], weights)
            return {"loss": keras.ops.sum(weights[0])}

    if BACKEND == "jax":
        pytest.skip("the step there is a pure function")
    inputs = keras.Input((1,))
    model = Twice(inputs, unit_gradient.Trace(name="trace_0")(inputs))
    model.compile(keras.optimizers.SGD(0.4), unit_gradient.mean_output)
    recorder = callbacks.LearningRateRecorder()
    unit_gradient.fit(model, 3, 2, [Wandb(), callbacks.Warmup(12), recorder, Wandb()])
    expected = 0.4 * np.arange(1, 13) / 12
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, expected, atol=1e-7)


def test_before_a_batch_the_rate_that_is_read_is_that_of_the_batch():
    class Early(keras.callbacks.Callback):
        read = []

        def on_train_batch_begin(self, batch, logs=None):
            self.read.append(float(self.model.optimizer.learning_rate))

    model, first, last = unit_gradient.build(keras.optimizers.SGD(0.4)), Early(), Early()
    first.read, last.read = [], []
    unit_gradient.fit(model, 2, 2, [first, callbacks.Warmup(4), last])
    np.testing.assert_allclose(last.read, [0.1, 0.2, 0.3, 0.4], atol=1e-6)
    # Listed before ours, it is asked before anybody knows that another batch begins.
    np.testing.assert_allclose(unit_gradient.applied(model), [0.1, 0.2, 0.3, 0.4], atol=2e-6)


def test_the_rate_that_is_read_cannot_be_assigned_to_in_vain():
    class Assign(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.learning_rate.assign(0.1)

    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    with pytest.raises(AttributeError, match="assign"):
        unit_gradient.fit(model, 2, 1, [callbacks.Warmup(4), Assign()])


@unit_gradient.needs_multi_optimizer
@pytest.mark.parametrize("kind", ["fit schedule", "plateau"])
def test_of_several_optimizers_each_has_its_column(kind):
    model = unit_gradient.build("sgd", layers=2)
    optimizer = discriminative(keras.optimizers.SGD(0.4), model, {"trace_0": 0.5})
    model.compile(optimizer, unit_gradient.mean_output)
    history = unit_gradient.fit(model, PER_EPOCH, EPOCHS, [Feed(LOSSES), *CASES[kind][0]()])
    for layer, column in (("trace_0", "trace_0"), ("trace_1", "rest")):
        applied = unit_gradient.applied(model, layer)
        found = history.history[f"learning_rate_{column}"]
        np.testing.assert_allclose(found, ends(applied), atol=2e-6)
    assert "learning_rate" not in history.history


@once
def test_the_rate_of_an_epoch_that_is_undone_is_the_one_that_it_was_made_with():
    used = [
        Feed([1.0, 0.5, 2.0, 2.0]),
        callbacks.ReduceLROnPlateau("loss", 0.5, patience=1, restore_best="all"),
        callbacks.Warmup(6),
        callbacks.LearningRateRecorder(),
    ]
    model = unit_gradient.build(keras.optimizers.SGD(0.6))
    history = unit_gradient.fit(model, 2, 4, used)
    assert history.history["learning_rate"] == pytest.approx([0.2, 0.4, 0.6, 0.3])
    assert used[-1].learning_rate[1::2].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.3])


@once
def test_what_drives_no_rate_logs_none_and_no_update_is_no_rate():
    model = unit_gradient.build(keras.optimizers.SGD(0.4, weight_decay=0.1))
    decay = callbacks.WeightDecaySchedule(schedules.LinearDecay(0.04, "50%"))
    assert "learning_rate" not in unit_gradient.fit(model, 2, 1, [decay]).history
    model = unit_gradient.build(keras.optimizers.SGD(0.4, gradient_accumulation_steps=3))
    history = unit_gradient.fit(model, 2, 3, [callbacks.Warmup(2)]).history
    # No update in the first epoch, one in each of the others.
    np.testing.assert_allclose(history["learning_rate"], [np.nan, 0.2, 0.4], atol=1e-7)


def test_a_loop_by_hand_finds_it_in_its_logs():
    model, (x, y) = unit_gradient.build(keras.optimizers.SGD(0.4)), unit_gradient.batches(1)
    plateau, logged = callbacks.ReduceLROnPlateau("loss", 0.5, patience=1), []
    plateau.attach(model)
    for loss in [1.0, 1.0, 1.0]:
        model.train_on_batch(x, y)
        logs = {"loss": loss}
        plateau.step(logs)
        logged.append(logs["learning_rate"])
    plateau.detach()
    np.testing.assert_allclose(logged, unit_gradient.applied(model), atol=2e-6)


OF_INTEGERS = {
    "exponential": lambda: keras.optimizers.schedules.ExponentialDecay(1, 4, 0.5),
    "cosine": lambda: keras.optimizers.schedules.CosineDecay(1, 4),
    "inverse time": lambda: keras.optimizers.schedules.InverseTimeDecay(1, 2, 0.5),
    "polynomial": lambda: keras.optimizers.schedules.PolynomialDecay(3, 4, 0, power=0.5),
    "polynomial to an end": lambda: keras.optimizers.schedules.PolynomialDecay(1, 4, 0.5),
}


@once
@pytest.mark.parametrize("used", [list, lambda: [callbacks.Warmup(2)]], ids=["alone", "warmup"])
@pytest.mark.parametrize("kind", OF_INTEGERS)
def test_of_integers_the_record_has_what_keras_makes_of_them(kind, used):
    """Keras works in the type of the first rate: meant is 0.84, 0.71, …, applied 1, 0, 0, …"""
    model = unit_gradient.build(keras.optimizers.SGD(OF_INTEGERS[kind]()))
    recorder = callbacks.LearningRateRecorder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        unit_gradient.fit(model, 4, 2, [recorder, *used()])
    np.testing.assert_allclose(recorder.learning_rate, unit_gradient.applied(model), atol=1e-5)
