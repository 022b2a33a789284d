"""The rule of `RecoverFromDivergence`: what it takes for a divergence, and what it must not."""

import json
import math

import numpy as np
import pytest

from keras_lr import callbacks
from keras_lr.callbacks.recovery import RecoveryState

nan, inf = float("nan"), float("inf")


def rule(**options):
    return callbacks.RecoverFromDivergence(**{"mode": "min", "max_recoveries": 10**6, **options})


def divergences(values, rates=None, **options):
    """Returns the evaluations (from 0) that are taken for a divergence."""
    tested = rule(**options)
    state, places = tested.start(), []
    for i, value in enumerate(values):
        before = state.divergences
        state = tested.update(state, float(value), 1.0 if rates is None else rates[i + 1])
        if state.divergences > before:
            places.append(i)
    return places


@pytest.mark.parametrize("bad", [nan, inf, -inf])
@pytest.mark.parametrize("threshold", [10.0, None])
def test_what_is_not_finite(bad, threshold):
    values = [bad, 1.0, 0.9, bad, bad, 0.8]
    assert divergences(values, threshold=threshold) == [0, 3, 4]


def test_each_recovery_cuts_until_the_budget_is_spent():
    tested = rule(factor=0.5, max_recoveries=2)
    state, factors, counts = tested.start(), [], []
    for loss in [1.0, nan, 1.0, nan, nan, nan]:
        tested.state = state = tested.update(state, loss, 0.1)
        factors.append(state.factor)
        counts.append(tested.recoveries)
    assert factors == [1.0, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert counts == [0, 1, 1, 2, 2, 2]


t = np.arange(100)
FALLING = {
    "to a floor": 2.3 * np.exp(-t / 15) + 0.05,
    "as a power": 2.3 * (1 + t) ** -0.7,
    "in steps": np.where(t < 30, 2.3 * np.exp(-t / 6) + 0.8, np.where(t < 60, 0.4, 0.2)),
    "not at all": np.ones(100),
    "and rising again": np.exp(-t / 10) + 0.3 + 0.01 * t,
    "after a catapult": 2.3 * np.exp(-t / 15) + 0.05 + 2.3 * np.exp(-((t - 3) ** 2) / 2),
}


@pytest.mark.parametrize("shape", FALLING)
@pytest.mark.parametrize("shift", [0.0, -10.0, 10.0])
def test_noise_is_no_divergence(shape, shift):
    noise = np.random.default_rng(7).normal(size=(20, 100))
    for draws in noise:
        assert divergences(FALLING[shape] * abs(1 + 0.2 * draws) + shift) == []


@pytest.mark.parametrize("period", [10, 25, 50])
@pytest.mark.parametrize("height", [0.1, 0.5])
def test_restarts_are_no_divergence(period, height):
    noise = np.random.default_rng(8).normal(size=(20, 100))
    wave = 0.5 * (1 + np.cos(np.pi * (np.arange(101) % period) / period))
    # After the first descent from 2.3, each restart rises from 0.01 to the height.
    losses = 2.3 * np.exp(-t / 5) + height * wave[:-1] + 0.01
    for draws in noise:
        assert divergences(losses * abs(1 + 0.1 * draws), 0.1 * wave + 1e-3) == []


@pytest.mark.parametrize("shape", set(FALLING) - {"after a catapult"})
def test_ten_times_the_last_values_is_a_divergence(shape):
    draws = np.random.default_rng(9)
    hits = []
    for _ in range(50):
        end = draws.integers(1, 100)
        values = (FALLING[shape] * abs(1 + 0.1 * draws.normal(size=100)))[:end]
        hits.append(end in divergences([*values, 10 * np.median(values[-3:])]))
    assert np.mean(hits) >= 0.98


def test_a_fast_fall_is_never_one():
    assert divergences([1e6, 1.0, 1e-6, -1.0, -1e6, -1e12]) == []
    assert divergences([-1e6, 1.0, 1e12], mode="max") == []


@pytest.mark.parametrize("level", [1.0, -1.0])
def test_a_wiggle_after_constant_values_is_none_and_a_jump_is(level):
    constant = [level] * 30
    assert divergences([*constant, level + 0.3]) == []
    assert divergences([*constant, level + 0.7]) == [30]
    # 10 · (20 · 0 + 1) / 21 = 0.476
    assert divergences([*constant, level + 0.47, level + 0.48]) == [31]


def test_where_all_values_were_zero_there_is_no_measure():
    assert divergences([0.0, 0.0, 0.0, 1e-9, 1e-9]) == []


def test_the_other_direction_mirrors():
    values = [1.0, 0.8, 0.7, 0.6, 5.0, 0.5, 40.0]
    assert divergences(values) == divergences([-v for v in values], mode="max") == [4, 6]


def test_a_threshold_and_a_window_of_ones_own():
    values = [1.0, 1.1, 1.0, 1.1, 1.0, 1.9]
    assert divergences(values) == [] and divergences(values, threshold=2.0) == [5]
    # One value only: a spread of half of it.
    assert divergences([100.0, 1.0, 5.9], window=1, threshold=10.0) == []
    assert divergences([2.0, 1.0, 6.1], window=1, threshold=10.0) == [2]


def test_a_rise_of_the_rate_excuses_what_it_had_gained():
    losses = [2.0, 1.0, 0.5, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    rates = [0.1] * len(losses)
    assert divergences([*losses, 1.5], [*rates, 0.1, 0.1]) == [14]
    # The rate of the last epoch is what was passed at the end of the one before.
    assert divergences([*losses, 1.5], [*rates, 0.3, 0.3]) == []
    assert divergences([*losses, 2.5], [*rates, 0.3, 0.3]) == [14]


def test_the_first_value_is_compared_with_the_first_batch():
    tested = rule()
    state = tested.start()._replace(at_first=-0.5)
    assert tested.has_diverged(state, 501.0) and not tested.has_diverged(state, 499.0)
    assert not tested.has_diverged(tested.start(), 1e30)


def test_the_state_survives_json():
    tested, values = rule(), [2.0, 1.0, nan, 0.9, 0.8, 20.0, 0.7]
    state = revived = tested.start()
    for value in values:
        state = tested.update(state, value, 0.1)
        revived = tested.update(
            RecoveryState(**json.loads(json.dumps(revived._asdict(), allow_nan=False))), value, 0.1
        )
    assert revived == state and state.divergences == 2
    assert all(math.isfinite(value) for value in state.good)


BAD = {
    "factor": (1.0, "`factor` must be a finite number > 0 and < 1. Received: factor=1.0"),
    "max_recoveries": (-1, "`max_recoveries` must be an integer >= 0"),
    "threshold": (0, "`threshold` must be a finite number > 0. Received: threshold=0"),
    "window": (0, "`window` must be an integer >= 1"),
    "every": (
        "batch",
        "`every` must be 'epoch', or a whole number of updates. Received: every='batch'",
    ),
    "mode": ("lower", "`mode` must be one of 'auto', 'min', 'max'"),
    "monitor": (3, "`monitor` must be a string"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name):
    value, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        callbacks.RecoverFromDivergence(**{name: value})


def test_by_batches_there_is_only_the_loss():
    with pytest.raises(ValueError, match="'loss' where `every` is a number.*'val_loss'"):
        callbacks.RecoverFromDivergence("val_loss", every=10)
