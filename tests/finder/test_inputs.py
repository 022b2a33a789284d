"""The range test on everything that `fit` takes, and what it refuses before any training."""

import keras
import numpy as np
import pytest
from keras import ops
from support.range_tests import (
    BATCHES,
    KINDS,
    SWEEP,
    X,
    Y,
    generator,
)
from support.tiers import once

from keras_lr.finder import range_test


def network(loss="mse"):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", loss)
    return model


def expected_losses(count, batches=BATCHES):
    """Returns the losses of linear regression by gradient descent, in plain NumPy."""
    kernel, bias = (w.astype("float64") for w in network().get_weights())
    losses = []
    rates = np.geomspace(1e-3, 0.05, 8)[1] / 1e-3
    for i in range(count):
        x, y = batches[i % len(batches)]
        error = x @ kernel + bias - y
        losses.append(float(np.mean(error**2)))
        rate = 1e-3 * rates**i
        kernel = kernel - rate * 2 * x.T @ error / len(x)
        bias = bias - rate * 2 * error.mean(axis=0)
    return np.array(losses)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_data_gives_the_losses_of_gradient_descent(kind, recwarn):
    x, y = KINDS[kind]()
    found = range_test(network(), x, y, batch_size=8, **SWEEP)
    # To build the loss, Keras reads a batch, which workers do not bring a second time.
    turn = int(np.argmin([abs(found.losses[0] - expected_losses(3, [b])[0]) for b in BATCHES]))
    assert turn == 0 or "workers" in kind
    expected = expected_losses(len(found.losses), BATCHES[turn:] + BATCHES[:turn])
    assert len(expected) >= 8
    np.testing.assert_allclose(found.losses, expected, rtol=1e-4)
    assert not [w for w in recwarn if "ran out of data" in str(w.message)]


def test_a_generator_is_not_consumed_behind_the_callers_back():
    given = generator()
    with pytest.raises(ValueError, match="give the function that makes it.*Received: x=<generator"):
        range_test(network(), given, verbose=0)
    assert len(list(given)) == 3


def test_data_that_fits_shuffle_is_shuffled():
    found = range_test(network(), X, Y, batch_size=8, **{**SWEEP, "shuffle": True})
    assert not np.allclose(found.losses[:3], expected_losses(3), rtol=1e-3)


@once
def test_several_inputs_and_outputs_by_name():
    keras.utils.set_random_seed(2)
    one, two = keras.Input((3,), name="one"), keras.Input((3,), name="two")
    first = keras.layers.Dense(1, name="first")(one)
    second = keras.layers.Dense(1, name="second")(keras.layers.Add()([one, two]))
    model = keras.Model({"one": one, "two": two}, {"first": first, "second": second})
    losses = {"first": "mse", "second": "mae"}
    model.compile("sgd", losses, loss_weights={"first": 0.5, "second": 2.0}, metrics=["mae", "mse"])
    x, y = {"one": X, "two": -X}, {"first": Y, "second": Y}
    found = range_test(model, x, y, batch_size=20, **SWEEP)
    weights = model.get_weights()
    # The second output sees x - x: it is 0 at first, its bias being 0.
    expected = 0.5 * np.mean((X @ weights[0] - Y) ** 2) + 2.0 * np.mean(np.abs(Y))
    np.testing.assert_allclose(found.losses[0], expected, rtol=1e-5)
    assert np.all(np.diff(found.losses[:8]) < 0)


@once
def test_class_weights_weigh_the_loss():
    labels = (Y > 0).astype("int32")
    found = [
        range_test(network("binary_crossentropy"), X, labels, class_weight=w, **SWEEP).losses[0]
        for w in (None, {0: 1.0, 1: 1.0}, {0: 2.0, 1: 2.0})
    ]
    np.testing.assert_allclose([found[1] / found[0], found[2] / found[0]], [1.0, 2.0], rtol=1e-5)


def test_a_train_step_of_ones_own():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, *args):
            result = super().train_step(*args)
            Own.steps += 1
            logs, *state = result if isinstance(result, tuple) else (result,)
            logs = {"loss": logs["loss"] * 3.0}
            return (logs, *state) if state else logs

    Own.steps = 0
    keras.utils.set_random_seed(2)
    model = Own()
    model.compile("sgd", "mse")
    found = range_test(model, X, Y, batch_size=20, **SWEEP)
    kernel, bias = model.get_weights()
    expected = 3.0 * np.mean((X @ kernel + bias - Y) ** 2)
    np.testing.assert_allclose(found.losses[0], expected, rtol=1e-5)
    assert Own.steps >= 1


def test_a_train_step_without_a_loss_is_refused_and_nothing_has_changed():
    class Silent(keras.Sequential):
        def train_step(self, *args):
            result = super().train_step(*args)
            return ({"mine": result[0]["loss"]}, result[1]) if isinstance(result, tuple) else {}

    model = Silent([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(ValueError, match="must return a dict with the entry 'loss'"):
        range_test(model, X, Y, **SWEEP)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


@once
def test_losses_that_are_no_numbers_are_dropped_with_their_rates():
    def loss(y, prediction):
        error = ops.mean((prediction - y) ** 2)
        return ops.where(error > 6.0, np.float32("nan"), error)

    x = np.ones((4, 3), "float32")
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", loss)
    y = 2.0 * x[:, :1]
    found = range_test(model, x, y, num_steps=60, start=1e-4, end=10.0, verbose=0)
    assert np.all(np.isfinite(found.losses)) and np.all(np.isfinite(found.smoothed))
    assert len(found.learning_rates) == len(found.losses) < 60
    assert found.learning_rates.max() < 10.0 and found.status == "ok"
    assert all(np.isfinite(model.get_weights()[0]))


def test_nothing_but_nan_is_no_suggestion():
    model = network(lambda y, p: ops.mean(p) * np.float32("nan"))
    found = range_test(model, X, Y, verbose=0)
    assert found.suggestion is None and found.status == "diverged at once"
    assert set(found.suggestions.values()) == {None}


@once
def test_negative_losses_do_not_end_the_sweep_early():
    def loss(y, prediction):
        return ops.mean((prediction - y) ** 2) - 100.0

    shifted = range_test(network(loss), X, Y, batch_size=20, verbose=0)
    plain = range_test(network(), X, Y, batch_size=20, verbose=0)
    assert len(shifted.losses) == len(plain.losses) > 60
    np.testing.assert_allclose(shifted.suggestion, plain.suggestion, rtol=0.3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"start": 0.0}, "`start` must be a finite number > 0"),
        ({"end": 1e-8}, "`end` must be > start"),
        ({"num_steps": 1}, "`num_steps` must be an integer >= 2"),
        ({"repeats": 0}, "`repeats` must be an integer >= 1"),
        ({"verify": -1}, "`verify` must be an integer >= 0"),
        ({"smoothing": 1.0}, "`smoothing` must be a finite number >= 0 and < 1"),
        ({"schedule": 0.0, "verify": 1}, "`schedule` must be a schedule with rates above 0"),
        ({"validation_data": X}, "`validation_data` must be one batch"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        range_test(network(), X, Y, verbose=0, **options)


def test_models_that_cannot_be_swept_are_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="must be compiled first"):
        range_test(model, X, Y, verbose=0)
    model = network()
    model.trainable = False
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="must have trainable weights"):
        range_test(model, X, Y, verbose=0)


def test_inside_a_fit_of_the_same_model_it_is_refused():
    class Inside(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            range_test(self.model, X, Y, verbose=0)

    with pytest.raises(ValueError, match="cannot run inside its `fit`"):
        network().fit(X, Y, callbacks=[Inside()], verbose=0)


def test_data_without_a_batch_is_refused():
    with pytest.raises(ValueError, match="with batches in it"):
        range_test(network(), lambda: iter(()), verbose=0)
