"""The range test: true losses, exact rates, one compilation, whatever the optimizer is."""

import keras
import numpy as np
import pytest
from keras import ops
from support import unit_gradient
from support.tiers import once

from keras_lr.finder import range_test
from keras_lr.schedules import LinearDecay

RNG = np.random.default_rng(3)
X = RNG.normal(size=(20, 3)).astype("float32")
Y = (X @ [[1.0], [-2.0], [0.5]] + 0.3 * RNG.normal(size=(20, 1))).astype("float32")


def network(optimizer="sgd", loss="mse", dropout=0.3, normalized=True, **options):
    keras.utils.set_random_seed(2)
    # Of trials: see `keras_private.trial_fit`.
    layers = [keras.layers.BatchNormalization(momentum=0.8)] if normalized else []
    layers += [keras.layers.Dropout(dropout, seed=5), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(optimizer, loss, **options)
    return model


def sweep(model, x=X, y=Y, **options):
    return range_test(model, x, y, **{"verbose": 0, "shuffle": False, **options})


def regression():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(256, 3)).astype("float32")
    return x, (x @ [[1.0], [-2.0], [0.5]] + 0.3 * rng.normal(size=(256, 1))).astype("float32")


def by_hand(model, rates, batches, x=X, y=Y, **options):
    """Returns the losses of `train_on_batch` at these rates, batches taken in turn."""
    losses = []
    for i, rate in enumerate(rates):
        here = batches[i % len(batches)]
        model.optimizer.learning_rate = float(rate)
        weights = {name: weight[here] for name, weight in options.items()}
        # Until Keras 3.14, what `train_on_batch` returns is the mean since the last reset.
        model.reset_metrics()
        logs = model.train_on_batch(x[here], y[here], return_dict=True, **weights)
        losses.append(logs["loss"])
    return np.array(losses)


# 20 samples in batches of 8: the third has 4, and 40 updates take 14 epochs.
UNEQUAL = [slice(0, 8), slice(8, 16), slice(16, 20)]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_losses_are_those_of_train_on_batch(optimizer):
    found = sweep(network(optimizer), num_steps=40, end=0.3, batch_size=8)
    expected = by_hand(network(optimizer), found.learning_rates, UNEQUAL)
    assert len(expected) >= 40
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)


@once
def test_losses_with_sample_weights_are_those_of_train_on_batch():
    weights = RNG.uniform(0.1, 3.0, size=20).astype("float32")
    found = sweep(network(), num_steps=20, end=0.1, batch_size=8, sample_weight=weights)
    rates = found.learning_rates
    expected = by_hand(network(), rates, UNEQUAL, sample_weight=weights)
    unweighted = by_hand(network(), rates, UNEQUAL)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)
    assert not np.allclose(expected, unweighted, rtol=0.01)


def test_the_rates_are_geometric_and_are_those_that_move_the_weights():
    model = unit_gradient.build(keras.optimizers.SGD(0.5))
    x, y = unit_gradient.batches(4)
    found = range_test(
        model, x, y, start=1e-4, end=1e-1, num_steps=31, batch_size=2, verbose=0, shuffle=False
    )
    # The loss is the weight, and every update lowers it by the rate.
    moved = -np.diff(found.losses)
    np.testing.assert_allclose(found.learning_rates[:31], np.geomspace(1e-4, 1e-1, 31), rtol=1e-12)
    np.testing.assert_allclose(moved, found.learning_rates[:-1], rtol=2e-3)
    assert found.status == "still falling" and len(found.losses) == 62


def test_the_loss_after_the_update_belongs_to_the_same_rate():
    model = unit_gradient.build(keras.optimizers.SGD(0.5))
    x, y = unit_gradient.batches(4)
    found = range_test(
        model, x, y, start=1e-3, end=1e-1, num_steps=20, batch_size=2, verbose=0, after_update=True
    )
    np.testing.assert_allclose(found.losses, -np.cumsum(found.learning_rates), rtol=1e-5)


@once
def test_the_loss_of_a_validation_batch_is_that_of_test_on_batch():
    x, y = X[:6] + 1.0, Y[:6]
    options = {"num_steps": 15, "end": 0.1, "batch_size": 8}
    found = sweep(network(normalized=False), validation_data=(x, y), **options)
    model, expected = network(normalized=False), []
    for i, rate in enumerate(found.learning_rates):
        model.optimizer.learning_rate = float(rate)
        model.train_on_batch(X[UNEQUAL[i % 3]], Y[UNEQUAL[i % 3]])
        model.reset_metrics()
        expected.append(model.test_on_batch(x, y))
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)
    assert len(found.losses) >= 5
    training = sweep(network(normalized=False), **options).losses[:5]
    assert not np.allclose(found.losses[:5], training, rtol=0.01)


@once
@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.SGD(LinearDecay(0.4, 10)),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.4, 10, 0.5)),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=4.0),
        lambda: keras.optimizers.SGD(0.5, weight_decay=0.0),
    ],
    ids=["schedule", "Keras' schedule", "loss scale", "weight decay"],
)
def test_every_optimizer_moves_at_the_same_rates(make):
    model = unit_gradient.build(make())
    model.optimizer.build(model.trainable_variables)
    x, y = unit_gradient.batches(4)
    found = range_test(
        model, x, y, start=1e-3, end=1e-1, num_steps=20, batch_size=2, verbose=0, shuffle=False
    )
    np.testing.assert_allclose(-np.diff(found.losses), found.learning_rates[:-1], rtol=1e-3)


@unit_gradient.needs_multi_optimizer
def test_several_rates_keep_their_proportions():
    first, second = keras.optimizers.SGD(0.02), keras.optimizers.SGD(0.1)
    optimizer = keras.optimizers.MultiOptimizer(lambda v: first if "trace_0" in v.path else second)
    model = unit_gradient.build(optimizer, layers=2)
    x, y = unit_gradient.batches(4)
    found = range_test(
        model, x, y, start=1e-3, end=1e-1, num_steps=20, batch_size=2, verbose=0, shuffle=False
    )
    np.testing.assert_allclose(-np.diff(found.losses), 1.2 * found.learning_rates[:-1], rtol=1e-3)
    assert [round(float(o.learning_rate), 6) for o in (first, second)] == [0.02, 0.1]


def test_under_gradient_accumulation_each_real_update_has_one_rate_and_a_mean_loss():
    model = unit_gradient.build(keras.optimizers.SGD(0.5, gradient_accumulation_steps=3))
    x, y = unit_gradient.batches(5)
    found = range_test(
        model, x, y, start=1e-3, end=1e-1, num_steps=12, batch_size=2, verbose=0, shuffle=False
    )
    np.testing.assert_allclose(found.learning_rates[:12], np.geomspace(1e-3, 1e-1, 12), rtol=1e-12)
    np.testing.assert_allclose(-np.diff(found.losses), found.learning_rates[:-1], rtol=1e-3)


@once
def test_accumulated_losses_are_means_of_their_batches():
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    x, y = X[:16], Y[:16]
    # At these rates the weights do not move: each update has seen both batches.
    found = sweep(network(optimizer), x, y, start=1e-12, end=1e-11, num_steps=3, batch_size=8)
    model = network("sgd")
    losses = by_hand(model, [0.0] * 12, [slice(0, 8), slice(8, 16)], x, y)
    expected = losses.reshape(-1, 2).mean(axis=1)[: len(found.losses)]
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)


def test_updates_that_a_loss_scale_skips_are_not_recorded():
    class Overflowing(keras.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(), initializer="zeros")

        def call(self, x):
            # The gradient is 1e30 times the scale, and overflows above 3e8.
            return ops.sum(x * 0.0, axis=-1, keepdims=True) + self.w * 1e30

    inputs = keras.Input((1,))
    model = keras.Model(inputs, Overflowing()(inputs))
    inner = keras.optimizers.SGD(0.1)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1e12)
    model.compile(optimizer, unit_gradient.mean_output)
    x = np.zeros((4, 1), "float32")
    found = range_test(model, x, x, start=1e-33, end=1e-31, num_steps=5, batch_size=2, verbose=0)
    np.testing.assert_allclose(found.learning_rates[:5], np.geomspace(1e-33, 1e-31, 5), rtol=1e-9)
    np.testing.assert_allclose(-np.diff(found.losses), 1e60 * found.learning_rates[:-1], rtol=1e-3)
    assert float(optimizer.dynamic_scale) == np.float32(1e12) and int(inner.iterations) == 0


@once
def test_steps_per_execution_is_one_during_the_sweep_and_itself_afterwards():
    model = network(steps_per_execution=4)
    found = sweep(model, num_steps=20, end=0.1, batch_size=8)
    np.testing.assert_allclose(
        found.losses, sweep(network(), num_steps=20, end=0.1, batch_size=8).losses, rtol=1e-6
    )
    assert model.steps_per_execution == 4


def test_eager_steps_give_the_same_losses():
    found = sweep(network(run_eagerly=True), num_steps=12, end=0.1, batch_size=8)
    expected = by_hand(network(run_eagerly=True), found.learning_rates, UNEQUAL)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)


@pytest.mark.skipif(keras.config.backend() == "torch", reason="takes minutes in C++")
def test_a_step_compiled_by_xla_gives_the_same_losses():
    found = sweep(network(jit_compile=True), num_steps=12, end=0.1, batch_size=8)
    expected = by_hand(network(jit_compile=True), found.learning_rates, UNEQUAL)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-4)


@once
def test_mixed_precision_finds_a_rate():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = network(dropout=0.0)
    finally:
        keras.config.set_dtype_policy("float32")
    found = sweep(model, *regression(), batch_size=64)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert found.status == "ok" and 1e-3 < found.suggestion < 10.0
    assert np.all(np.isfinite(found.losses))


def test_the_training_step_is_traced_once_for_all_rates_and_repeats():
    class Counting(keras.Model):
        traces = 0

        def __init__(self, **options):
            super().__init__(**options)
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            Counting.traces += keras.config.backend() == "torch" or not ops.is_tensor(x)
            return self.dense(x)

        def train_step(self, *args):
            Counting.steps += 1
            return super().train_step(*args)

    Counting.steps = 0
    model = Counting()
    model.compile("sgd", "mse")
    found = sweep(model, X[:16], Y[:16], num_steps=30, batch_size=8, repeats=2)
    # Eager PyTorch runs the Python of every step; the others trace, TensorFlow perhaps twice.
    assert Counting.steps >= 30 if keras.config.backend() == "torch" else Counting.steps <= 2
    assert len(found.losses) >= 20


@once
def test_repeats_differ_in_the_order_of_the_data_and_make_an_interval():
    found = sweep(network(dropout=0.0), *regression(), repeats=3, batch_size=64, shuffle=True)
    curves = [curve.losses[:40] for curve in found.repeats]
    assert len(curves) == 3 and not np.allclose(curves[0], curves[1], rtol=1e-3)
    low, high = found.interval
    assert low <= found.suggestion <= high


@once
def test_the_same_seed_gives_the_same_curve_whatever_was_drawn_before():
    first = sweep(network(), num_steps=20, end=0.1, batch_size=8, shuffle=True, seed=4)
    np.random.rand(7)
    second = sweep(network(), num_steps=20, end=0.1, batch_size=8, shuffle=True, seed=4)
    other = sweep(network(), num_steps=20, end=0.1, batch_size=8, shuffle=True, seed=5)
    assert np.array_equal(first.losses, second.losses)
    assert not np.array_equal(first.losses, other.losses)


@once
@pytest.mark.parametrize("seed", range(3))
def test_on_a_quadratic_the_suggestion_is_about_the_inverse_curvature(seed):
    curvature = 10.0 ** np.random.default_rng(seed).uniform(-1.5, 1.5)

    class Quadratic(keras.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(2,), initializer=keras.initializers.Constant(1.0))

        def call(self, x):
            return 0.5 * curvature * ops.sum(self.w**2) + 0.0 * x

    inputs = keras.Input((1,))
    model = keras.Model(inputs, Quadratic()(inputs))
    model.compile(keras.optimizers.SGD(0.1), unit_gradient.mean_output)
    found = range_test(model, np.zeros((4, 1)), np.zeros((4, 1)), verbose=0)
    assert 0.05 / curvature < found.suggestion < 2.0 / curvature


@once
def test_verification_returns_the_best_of_its_runs_with_the_evidence():
    # The last tenth of 256 rows is held back, and judges the runs.
    (x, y), rest = regression(), slice(230, 256)
    batches = [slice(i, min(i + 64, 230)) for i in (0, 64, 128, 192)]
    model = network(dropout=0.0)
    before = model.get_weights()
    options = {"batch_size": 64, "num_steps": 60, "start": 1e-5, "total_steps": 60}
    found = sweep(model, x, y, verify=3, **options)
    plain = sweep(network(dropout=0.0), x[:230], y[:230], **options)
    rates, scores = zip(*found.evidence)
    assert len(rates) == 3 and plain.suggestion in rates
    assert rates == tuple(sorted(rates))
    assert found.suggestion in rates and found.suggestions == plain.suggestions
    # Against the same run by hand, at the first of the rates.
    other = network(dropout=0.0)
    by_hand(other, rates[0] * (1 - np.arange(60) / 60), batches, x, y)
    np.testing.assert_allclose(scores[0], other.evaluate(x[rest], y[rest], verbose=0), rtol=1e-3)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


@once
def test_the_progress_bar_shows_rates_and_can_be_turned_off(capsys):
    keras.config.enable_interactive_logging()
    sweep(network(), num_steps=10, end=0.1, verbose=1)
    shown = capsys.readouterr().out
    sweep(network(), num_steps=10, end=0.1, verbose=0)
    assert "learning_rate" in shown and capsys.readouterr().out == ""
