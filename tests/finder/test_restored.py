"""After a range test everything is as before, bit for bit, and `fit` does what it would have."""

import os

import keras
import numpy as np
import pytest
from keras import ops
from support.range_tests import assert_same, attributes, state
from support.tiers import cells, once

from keras_lr.callbacks import ReduceLROnPlateau, Warmup
from keras_lr.finder import range_test
from keras_lr.schedules import LinearDecay

RNG = np.random.default_rng(8)
X = RNG.normal(size=(44, 3)).astype("float32")
Y = (X @ [[1.0], [-2.0], [0.5]]).astype("float32")


class Raising(keras.utils.PyDataset):
    """Batches of 8, and an error in the place of the batch that comes `after` so many."""

    def __init__(self, error=None, after=0):
        super().__init__()
        self.error, self.after, self.read = error, after, 0

    def __len__(self):
        return 5

    def __getitem__(self, index):
        self.read += 1
        if self.error is not None and self.read > self.after:
            raise self.error
        return X[8 * index : 8 * index + 8], Y[8 * index : 8 * index + 8]


class Stopping(keras.layers.Layer):
    """Raises when it is called for the n-th time: within a step where steps run eagerly."""

    def __init__(self, at, **options):
        super().__init__(**options)
        self.at, self.calls = at, 0

    def call(self, x, training=False):
        self.calls += bool(training)
        if self.calls > self.at:
            raise KeyboardInterrupt
        return x


def layers(inputs=True):
    return [keras.Input((3,))] * inputs + [
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(1),
    ]


def network(optimizer="adam", inputs=True, **options):
    keras.utils.set_random_seed(2)
    model = keras.Sequential(layers(inputs))
    model.compile(optimizer, "mse", **{"metrics": ["mae"], **options})
    return model


def optimizers():
    optimizer_classes = {
        "adam": lambda: keras.optimizers.Adam(0.01),
        "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
        "schedule": lambda: keras.optimizers.RMSprop(LinearDecay(0.01, 20)),
        "average": lambda: keras.optimizers.Adam(0.01, use_ema=True),
        "accumulation": lambda: keras.optimizers.SGD(0.01, gradient_accumulation_steps=2),
        "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
    }
    if hasattr(keras.optimizers, "MultiOptimizer"):
        optimizer_classes["several"] = several
    return optimizer_classes


def several():
    first, second = keras.optimizers.SGD(0.02), keras.optimizers.Adam(0.01)
    return keras.optimizers.MultiOptimizer(lambda v: first if "kernel" in v.path else second)


def short_sweep(model, x=X, y=Y, **options):
    return range_test(model, x, y, **{"verbose": 0, "num_steps": 12, "batch_size": 8, **options})


@pytest.mark.parametrize("name", cells(optimizers(), quick=["schedule", "loss scale"]))
def test_a_trained_model_is_as_before(name):
    model = network(optimizers()[name]())
    model.fit(X, Y, batch_size=8, verbose=0)
    before, held = state(model), attributes(model)
    found = short_sweep(model, repeats=2)
    assert len(found.losses) >= 5
    assert_same(before, state(model))
    assert held == attributes(model)


@pytest.mark.parametrize(
    "name, inputs",
    cells(
        [("adam", True), ("adam", False), ("schedule", False), ("average", True)],
        quick=[("schedule", False)],
    ),
)
def test_fit_after_a_range_test_is_fit_alone(name, inputs):
    alone = network(optimizers()[name](), inputs)
    alone.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    model = network(optimizers()[name](), inputs)
    short_sweep(model, seed=5)
    history = model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert_same(state(alone), state(model))
    assert history.history["mae"] == alone.history.history["mae"]


@once
def test_the_second_fit_goes_on_as_if_nothing_had_been():
    states = []
    for tested in (False, True):
        model = network()
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
        if tested:
            short_sweep(model, verify=1, start=1e-4, num_steps=30)
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
        states.append(state(model))
    assert_same(*states)


@once
def test_fit_with_our_callbacks_is_the_same_after_a_range_test():
    states = []
    for tested in (False, True):
        model = network()
        if tested:
            short_sweep(model)
        # The margin is so wide that the second epoch cuts.
        callbacks = [Warmup(4), ReduceLROnPlateau("loss", patience=1, min_delta=10.0)]
        model.fit(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=callbacks)
        states.append(state(model))
    assert_same(*states)


@once
@pytest.mark.parametrize(
    "error, after", [(KeyboardInterrupt(), 3), (RuntimeError("broken"), 9)], ids=repr
)
def test_after_an_error_in_the_data_everything_is_as_before(error, after):
    model = network()
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0)
    before, held = state(model), attributes(model)
    # TensorFlow wraps what a data set's thread raises.
    expected = BaseException if keras.config.backend() == "tensorflow" else type(error)
    with pytest.raises(expected, match="broken|^$|Interrupt"):
        short_sweep(model, Raising(error, after), None, shuffle=False)
    assert_same(before, state(model))
    assert held == attributes(model)


@once
@pytest.mark.parametrize("at", [0, 1, 7])
def test_after_an_interrupt_within_a_step_everything_is_as_before(at):
    keras.utils.set_random_seed(2)
    stopping = Stopping(at)
    model = keras.Sequential([*layers(), stopping])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse", run_eagerly=True)
    before = state(model)
    with pytest.raises(KeyboardInterrupt, match="^$"):
        short_sweep(model)
    after = state(model)
    assert stopping.calls == at + 1
    # The optimizer is built by now, its slots as they are built: 0.
    slots = after["optimizer"][len(before["optimizer"]) :]
    assert not any(slot.any() for slot in slots)
    after["optimizer"] = after["optimizer"][: len(before["optimizer"])]
    assert_same(before, after)
    stopping.at = 10**9
    model.fit(X, Y, batch_size=8, verbose=0)
    assert int(model.optimizer.iterations) == 6


def test_an_interrupt_between_two_steps_leaves_nothing():
    model = network()
    model.fit(X, Y, batch_size=8, verbose=0)
    before, held = state(model), attributes(model)

    def interrupt(self, *args, **options):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.utils.Progbar, "update", interrupt)
        with pytest.raises(KeyboardInterrupt, match="^$"):
            short_sweep(model, verbose=1)
    assert_same(before, state(model))
    assert held == attributes(model)


def test_the_global_seed_generator_goes_on_where_it_was():
    def draws():
        return [float(ops.convert_to_numpy(keras.random.uniform(()))) for _ in range(3)]

    keras.utils.set_random_seed(3)
    draws()
    expected = draws()
    model = network()
    keras.utils.set_random_seed(3)
    draws()
    short_sweep(model)
    assert draws() == expected


def test_no_file_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short_sweep(network())
    assert os.listdir(tmp_path) == []


def test_a_model_that_was_not_built_has_the_weights_it_would_have_had():
    model, alone = network(inputs=False), network(inputs=False)
    short_sweep(model)
    alone.build((None, 3))
    for one, other in zip(alone.get_weights(), model.get_weights()):
        assert np.array_equal(one, other)
    assert int(model.optimizer.iterations) == 0


@pytest.mark.skipif(keras.config.backend() != "torch", reason="only PyTorch has these")
def test_gradients_and_training_mode_are_as_before():
    model = network()
    model.layers[0].eval()
    modes = [module.training for module in model.modules()]
    short_sweep(model)
    assert [module.training for module in model.modules()] == modes
    assert all(weight.value.grad is None for weight in model.trainable_variables)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="only TensorFlow has this")
def test_the_seed_of_tensorflow_goes_on_where_it_was():
    import tensorflow as tf

    model = network()
    tf.random.set_seed(4)
    tf.random.uniform(())
    expected = [float(tf.random.uniform(())) for _ in range(2)]
    tf.random.set_seed(4)
    tf.random.uniform(())
    short_sweep(model)
    assert [float(tf.random.uniform(())) for _ in range(2)] == expected


@once
def test_the_saved_model_is_the_one_that_was_compiled(tmp_path):
    model = network(keras.optimizers.Adam(LinearDecay(0.01, 20)))
    model.fit(X, Y, batch_size=8, verbose=0)
    model.save(tmp_path / "before.keras")
    short_sweep(model)
    model.save(tmp_path / "after.keras")
    one, other = (keras.saving.load_model(tmp_path / f"{n}.keras") for n in ("before", "after"))
    for before, after in zip(one.get_weights(), other.get_weights()):
        assert np.array_equal(before, after)
    for before, after in zip(one.optimizer.variables, other.optimizer.variables):
        assert np.array_equal(*(ops.convert_to_numpy(v) for v in (before, after)))
    assert one.optimizer.get_config() == other.optimizer.get_config()
