"""Trials: exact rates, one compilation for all runs, and nothing that stays."""

import keras
import numpy as np
import pytest
from keras import ops
from support import unit_gradient
from support.range_tests import assert_same, attributes, state

from keras_lr.keras_private.live_variables import own_variables
from keras_lr.keras_private.optimizers import leaves
from keras_lr.layerwise import discriminative
from keras_lr.trials import AfterUpdates, Trials

RUNS = [[0.1, 0.4, 0.2, 0.8], [0.5, 0.25], [0.01] * 6, [2.0, 1.0, 0.5]]
X = np.zeros((8, 1), "float32")
DATA = {"x": X, "y": X, "batch_size": unit_gradient.BATCH, "shuffle": False}


def several():
    first, second = keras.optimizers.SGD(0.02), keras.optimizers.SGD(0.1)
    return keras.optimizers.MultiOptimizer(lambda v: first if "trace_0" in v.path else second)


OPTIMIZERS = {
    "float": lambda: keras.optimizers.SGD(0.3),
    "schedule": lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.3, 10)),
    "accumulation": lambda: keras.optimizers.SGD(0.3, gradient_accumulation_steps=2),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.3)),
    "several": pytest.param(several, marks=unit_gradient.needs_multi_optimizer),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_run_moves_the_weights_at_its_own_rates_from_the_same_state(make):
    model = unit_gradient.build(make(), layers=2)
    unit_gradient.fit(model, 2)
    before, held = state(model), attributes(model)
    start = sum(float(layer.w) for layer in model.layers if hasattr(layer, "w"))
    # Two weights, under several optimizers of rates 1 : 5.
    each = 1.2 if len(leaves(model.optimizer)) == 2 else 2.0
    with Trials(model, DATA, 6) as trials:
        for rates in RUNS:
            updates, losses = trials.run(rates, AfterUpdates(len(rates)), seed=0)
            expected = start - each * np.cumsum([0.0, *rates[:-1]])
            np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-5)
            assert updates.tolist() == list(range(len(rates)))
    assert_same(before, state(model))
    assert held == attributes(model)
    assert own_variables(model.optimizer) == model.optimizer.variables


def test_beyond_the_last_rate_it_is_kept():
    model = unit_gradient.build(keras.optimizers.SGD(0.3))
    with Trials(model, DATA, 3) as trials:
        _, losses = trials.run([0.5, 0.25], AfterUpdates(6), seed=0)
    np.testing.assert_allclose(-np.diff(losses), [0.5, 0.25, 0.25, 0.25, 0.25], rtol=1e-6)


def test_more_rates_than_were_announced_are_refused_and_nothing_has_changed():
    model = unit_gradient.build(keras.optimizers.SGD(0.3))
    model.optimizer.build(model.trainable_variables)
    before, held = state(model), attributes(model)
    message = "`rates` must be at most 2 rates. Received: rates='3 rates'"
    with pytest.raises(ValueError, match=message), Trials(model, DATA, 2) as trials:
        trials.run([0.1, 0.2, 0.3], AfterUpdates(3), seed=0)
    assert_same(before, state(model))
    assert held == attributes(model)


@pytest.mark.parametrize("accumulation", [None, 2])
def test_four_runs_of_different_rates_are_one_trace(accumulation):
    class Counting(keras.layers.Dense):
        traces = 0

        def call(self, x, training=False):
            Counting.traces += bool(training)
            return super().call(x)

    inputs = keras.Input((1,))
    model = keras.Model(inputs, Counting(1)(inputs))
    model.compile(keras.optimizers.Adam(0.1, gradient_accumulation_steps=accumulation), "mse")
    with Trials(model, {**DATA, "y": X + 1.0}, 6) as trials:
        for rates in RUNS:
            trials.run(rates, AfterUpdates(len(rates)), seed=0)
        found = Counting.traces
    if keras.config.backend() == "torch":
        assert found == sum(map(len, RUNS)) * (accumulation or 1)
    else:
        assert found == 1


@unit_gradient.needs_multi_optimizer
def test_a_multiplier_of_a_layer_stays():
    model = unit_gradient.build(keras.optimizers.SGD(0.3), layers=2)
    optimizer = discriminative(keras.optimizers.SGD(0.3), model, {"trace_0": 0.5})
    model.compile(optimizer, unit_gradient.mean_output)
    with Trials(model, DATA, 3) as trials:
        _, losses = trials.run([0.4, 0.2, 0.1], AfterUpdates(3), seed=0)
    np.testing.assert_allclose(-np.diff(losses), [0.6, 0.3], rtol=1e-6)


def test_the_rule_sees_every_loss_and_ends_the_run():
    class UntilLow(AfterUpdates):
        seen = ()

        def add(self, loss):
            self.seen = (*self.seen, loss)
            return super().add(loss) or loss <= -0.5

    model, rule, shown = unit_gradient.build(keras.optimizers.SGD(0.3)), UntilLow(100), []
    with Trials(model, DATA, 1) as trials:
        updates, losses = trials.run([0.25], rule, 0, lambda *report: shown.append(report))
    assert rule.seen == tuple(losses) == (0.0, -0.25, -0.5)
    assert shown == [(0, 0.0, False), (1, -0.25, False), (2, -0.5, True)]


def test_a_run_ends_where_losses_have_ceased_to_be_numbers():
    model = unit_gradient.build(keras.optimizers.SGD(0.3))
    model.compile("sgd", lambda y, p: ops.mean(p) * np.float32("nan"))
    rule = AfterUpdates(100)
    with Trials(model, DATA, 1) as trials:
        _, losses = trials.run([0.1], rule, seed=0)
    assert rule.diverged and len(losses) == 5 and np.all(np.isnan(losses))
