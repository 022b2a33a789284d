"""`BoldDriver` and `GreedyLR`: the rules by lists of numbers, against loops and the original."""

import inspect
import json
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import unit_gradient

from keras_lr import callbacks, schedules
from keras_lr.callbacks.loss_driven import BoldDriver, GreedyLR

nan, inf = float("nan"), float("inf")


def factors(rule, values, base=1.0):
    """Returns the factor after each value; each decision sees the rate base × factor."""
    state, found = rule.start(), []
    for value in values:
        state = rule.update(state, value, base * state.factor)
        json.dumps(state)
        found.append(state.factor)
    return found


def bold(**options):
    return BoldDriver(**{"mode": "min", **options})


def greedy(**options):
    return GreedyLR(**{"mode": "min", "factor": 0.5, "min_delta": 0.0, **options})


# The bold driver


def test_bold_driver_goes_up_down_or_stays():
    values = [1.0, 0.5, 0.5, 0.51, 0.6, 0.5]
    steps = [1.0, 1.05, 1.0, 1.0, 0.5, 1.05]
    np.testing.assert_allclose(factors(bold(), values), np.cumprod(steps))
    upside_down = [-v for v in values]
    np.testing.assert_allclose(factors(bold(mode="max"), upside_down), np.cumprod(steps))


def test_a_rise_is_measured_against_the_size_of_a_negative_loss():
    rule = bold(tolerance=0.1)
    assert factors(rule, [-1.0, -0.95, -0.85]) == [1.0, 1.0, 0.5]
    assert factors(rule, [0.0, 0.0, 1e-9]) == [1.0, 1.0, 0.5]


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_bold_driver_takes_what_is_not_finite_for_a_rise(bad):
    assert factors(bold(), [bad, 1.0]) == [0.5, 0.5]
    # 0.9 is compared with 1.0, the value before.
    assert factors(bold(), [1.0, bad, 0.9]) == [1.0, 0.5, 0.525]
    assert factors(bold(mode="max"), [1.0, bad]) == [1.0, 0.5]


@given(
    st.lists(st.floats(-1e308, 1e308) | st.sampled_from([nan, inf, -inf, 0.0])),
    st.floats(0, 1),
)
@settings(max_examples=100)
def test_bold_driver_is_a_loop_over_neighbours(values, tolerance):
    expected, factor, last = [], 1.0, None
    for value in values:
        if not math.isfinite(value):
            step = 0.5
        else:
            step = 1.0
            if last is not None and value < last:
                step = 1.05
            elif last is not None and value - last > tolerance * abs(last):
                step = 0.5
            last = value
        factor = min(max(factor * step, 1e-3), 1e3)
        expected.append(factor)
    np.testing.assert_allclose(factors(bold(tolerance=tolerance), values), expected, rtol=3e-6)


# Bounds, of both

FALLING, RISING = [1.0 - 0.01 * i for i in range(60)], [1.0 + 0.1 * i for i in range(60)]
# Both doubled on progress, both halved on a rise, at every evaluation.
SYMMETRIC = {
    "bold": lambda **options: bold(increase=2.0, tolerance=0.0, **options),
    "greedy": lambda **options: greedy(patience=1, **options),
}


@pytest.mark.parametrize("kind", SYMMETRIC)
def test_absolute_bounds_hold_for_the_rate_that_is_next(kind):
    rule = SYMMETRIC[kind](min_lr=0.03, max_lr=1.0)
    down = [0.1 * f for f in factors(rule, RISING, base=0.1)]
    up = [0.1 * f for f in factors(rule, FALLING, base=0.1)]
    np.testing.assert_allclose(down[:5], [0.1, 0.05, 0.03, 0.03, 0.03])
    np.testing.assert_allclose(up[:7], [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0])
    assert len({*down[2:]}) == len({*up[4:]}) == 1


@pytest.mark.parametrize("kind", SYMMETRIC)
def test_without_bounds_the_range_is_a_thousand_both_ways(kind):
    rule = SYMMETRIC[kind]()
    # A fine-tune, under the 1e-3 of the original GreedyLR.
    for base in (1e-6, 1.0):
        assert factors(rule, FALLING, base)[-1] == pytest.approx(1e3)
        assert factors(rule, RISING, base)[-1] == pytest.approx(1e-3)


@pytest.mark.parametrize("kind", SYMMETRIC)
def test_a_rate_beyond_a_bound_is_left_where_it_is(kind):
    rule = SYMMETRIC[kind](min_lr=0.5, max_lr=0.8)
    assert factors(rule, FALLING, base=0.9)[-1] == 1.0
    assert factors(rule, RISING, base=0.4)[-1] == 1.0


@pytest.mark.parametrize("kind", SYMMETRIC)
def test_while_the_rate_is_zero_no_factor_piles_up(kind):
    rule = SYMMETRIC[kind](min_lr=0.0, max_lr=1.0)
    assert factors(rule, FALLING, base=0.0)[-1] == 1.0
    assert factors(rule, RISING, base=0.0)[-1] == 1.0


# GreedyLR

TRACE = (
    [1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.65, 0.5, 0.55, 0.6, 0.4, 0.3, 0.2, 0.1, 0.2, 0.3]
    + [0.4, 0.5, 0.0, -0.1, -0.2, -0.3, -0.1, -0.4, -0.4, -0.4, -0.5, -0.6, 2.0, 1.5, 1.1, 1.0]
)  # fmt: skip
# log2 of the factors that Transformers 5.23's GreedyLR gives for this trace at factor=0.5,
# threshold=1e-6 and eps=0, with its patience one less.
ORIGINAL = [
    (
        {"patience": 2},
        [0, 0, 0, 1, 1, 2, 2, 2, 2, 1, 1, 2, 2, 3, 3, 2]
        + [2, 1, 1, 2, 2, 3, 3, 3, 3, 2, 2, 3, 3, 2, 2, 1],
    ),
    (
        {"patience": 3, "cooldown": 1, "warmup": 2},
        [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2]
        + [2, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1],
    ),
    (
        {"patience": 2, "cooldown": 2, "min_lr": 0.5, "max_lr": 2.0},
        [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0]
        + [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, -1, -1, -1],
    ),
    (
        {"patience": 2, "warmup": 1, "mode": "max", "min_lr": 0.0},
        [0, 0, -1, -1, -2, -2, -3, -3, -4, -4, -5, -5, -6, -6, -7, -7]
        + [-8, -8, -9, -9, -10, -10, -11, -11, -12, -12, -13, -13, -13, -13, -14, -14],
    ),
]


@pytest.mark.parametrize(("options", "expected"), ORIGINAL)
def test_greedy_agrees_with_the_original(options, expected):
    found = factors(greedy(min_delta=1e-6, **options), TRACE)
    assert np.log2(found).tolist() == expected


def test_greedy_counts_what_is_not_finite_as_bad_and_forgets_it():
    assert factors(greedy(patience=2), [nan, 1.0, nan, inf]) == [1.0, 1.0, 1.0, 0.5]
    assert factors(greedy(patience=1), [1.0, -inf, 0.9]) == [1.0, 0.5, 1.0]
    smooth = greedy(patience=1, smoothing=0.5)
    assert factors(smooth, [1.0, nan, 0.9, 0.8]) == [1.0, 0.5, 1.0, 2.0]


def test_smoothing_lets_a_noisy_descent_through():
    noisy = 2.0 - 0.02 * np.arange(40) + np.random.default_rng(0).normal(0.0, 0.1, 40)
    plain, smooth = (greedy(patience=2, smoothing=weight) for weight in (0.0, 0.8))
    assert factors(plain, noisy)[-1] < 0.01 and factors(smooth, noisy)[-1] > 100


def test_relative_margins_are_safe_for_negative_losses():
    worse = [-1.0 + 0.01 * i for i in range(5)]
    rule = greedy(patience=1, min_delta=0.005, threshold_mode="rel")
    assert factors(rule, worse) == [1.0, 0.5, 0.25, 0.125, 0.0625]
    assert factors(rule, [-1.0, -1.004, -1.006]) == [1.0, 0.5, 1.0]


def test_a_reset_begins_anew():
    rule = greedy(patience=1, min_lr=0.25, reset_after=3)
    found = factors(rule, [1.0] * 8)
    # The floor is reached after 3 values; the next three found the rate there.
    assert found == [1.0, 0.5, 0.25, 0.25, 0.25, 1.0, 1.0, 0.5]
    assert rule.update(rule.start()._replace(factor=0.25, at_floor=2), 1.0, 0.25) == rule.start()
    assert factors(greedy(patience=1, min_lr=0.25), [1.0] * 99)[-1] == 0.25


@pytest.mark.parametrize("own", [0.4, schedules.LinearDecay(0.4, 20)])
def test_the_weights_follow_and_the_reasons_are_told(own, capsys):
    keras.config.enable_interactive_logging()
    model = unit_gradient.build(keras.optimizers.SGD(own))
    feed = unit_gradient.Feed([1.0, 0.5, 0.7, nan, 0.9])
    rules = [BoldDriver(verbose=1), GreedyLR(factor=0.5, patience=1, verbose=1)]
    expected = [1.0, 1.0, 2.1, 0.525, 0.13125]
    for _ in range(2):
        # A later fit begins with new rules, and with the rates that the one before left.
        before = len(unit_gradient.applied(model))
        base = [float(model.optimizer.learning_rate)] * 5
        if not isinstance(own, float):
            base = [float(own(before + t)) * base[0] / float(own(before)) for t in range(5)]
        unit_gradient.fit(model, 1, 5, [feed, *rules])
        found = unit_gradient.applied(model)[before:]
        np.testing.assert_allclose(found, np.multiply(base, expected), atol=2e-6)
    told = capsys.readouterr().out
    assert "BoldDriver reducing learning rate" in told and "(loss = 0.7, before 0.5)" in told
    assert "GreedyLR raising learning rate" in told and "better for 1 evaluations" in told


def test_validation_losses_and_other_metrics_can_drive():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    # The loss is the weight itself, and falls at every update.
    rule = BoldDriver("val_loss", increase=2.0)
    unit_gradient.fit(model, 1, 4, [rule], validation_data=unit_gradient.batches(1))
    np.testing.assert_allclose(unit_gradient.applied(model), [0.4, 0.4, 0.8, 1.6], atol=1e-6)
    with pytest.raises(ValueError, match="`mode` must be 'min' or 'max'.*monitor='thing'"):
        unit_gradient.fit(model, 1, 2, [unit_gradient.Feed([1, 2], "thing"), GreedyLR("thing")])


BAD = [
    (BoldDriver, {"increase": 0.9}, "`increase` must be a finite number >= 1. Received"),
    (BoldDriver, {"decrease": 1.0}, "`decrease` must be a finite number > 0 and < 1. Received"),
    (BoldDriver, {"tolerance": nan}, "`tolerance` must be a finite number >= 0"),
    (BoldDriver, {"min_lr": 0.2, "max_lr": 0.1}, "`max_lr` must be >= min_lr = 0.2. Received"),
    (BoldDriver, {"max_lr": 0.0}, "`max_lr` must be a finite number > 0"),
    (GreedyLR, {"factor": 1.0}, "`factor` must be a finite number > 0 and < 1"),
    (GreedyLR, {"patience": 0}, "`patience` must be an integer >= 1"),
    (GreedyLR, {"warmup": -1}, "`warmup` must be an integer >= 0"),
    (GreedyLR, {"cooldown": 1.5}, "`cooldown` must be an integer >= 0"),
    (GreedyLR, {"smoothing": 1.0}, "`smoothing` must be a finite number >= 0 and < 1"),
    (GreedyLR, {"min_lr": -1.0}, "`min_lr` must be a finite number >= 0"),
    (GreedyLR, {"reset_after": 0}, "`reset_after` must be an integer >= 1"),
    (GreedyLR, {"threshold_mode": "relative"}, "`threshold_mode` must be one of 'abs', 'rel'"),
]


@pytest.mark.parametrize(("rule", "options", "message"), BAD)
def test_bad_arguments(rule, options, message):
    with pytest.raises(ValueError, match=message):
        rule(**options)


@pytest.mark.parametrize("rule", [BoldDriver, GreedyLR])
def test_only_the_monitor_has_a_place(rule):
    first, *others = inspect.signature(rule).parameters.values()
    assert first.name == "monitor" and issubclass(rule, callbacks.ProgressController)
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in others)
