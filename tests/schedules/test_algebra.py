"""Sums, products, the greatest and the least of schedules and numbers."""

import operator

import keras
import numpy as np
import pytest

from keras_lr import schedules as s

BASE = s.CosineDecay(0.1, 60, alpha=0.1)
OTHER = s.StepDecay(0.5, 7, 0.8)
STEPS = np.arange(200)


def same(left, right):
    np.testing.assert_allclose(left.rates(STEPS), right.rates(STEPS), rtol=1e-12, atol=1e-14)


NUMBERS = [2, 0.5, np.float32(0.5), np.float64(0.5), np.int64(2), np.array(0.5)]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("operate", [operator.add, operator.sub, operator.mul])
def test_operators_with_numbers_on_both_sides(operate, number):
    rates = BASE.rates(STEPS)
    np.testing.assert_allclose(operate(BASE, number).rates(STEPS), operate(rates, float(number)))
    np.testing.assert_allclose(operate(number, BASE).rates(STEPS), operate(float(number), rates))


FOREIGN = [
    (OTHER, OTHER),
    (keras.optimizers.schedules.ExponentialDecay(0.1, 9, 0.5), s.ExponentialDecay(0.1, 9, 0.5)),
    (lambda t: 0.1 / (1.0 + t), s.InverseTimeDecay(0.1, 1, 1.0)),
]


@pytest.mark.parametrize("foreign, ours", FOREIGN)
@pytest.mark.parametrize("operate", [operator.add, operator.sub, operator.mul])
def test_operators_with_schedules_on_both_sides(operate, foreign, ours):
    left, right = BASE.rates(STEPS), ours.rates(STEPS)
    np.testing.assert_allclose(operate(BASE, foreign).rates(STEPS), operate(left, right))
    np.testing.assert_allclose(operate(foreign, BASE).rates(STEPS), operate(right, left))


def test_negation():
    np.testing.assert_array_equal((-BASE).rates(STEPS), -BASE.rates(STEPS))


def test_differences_are_negative_and_never_clipped():
    difference = s.LinearDecay(1.0, 2) - s.Constant(0.25)
    assert difference.rates(3).tolist() == [0.75, 0.25, -0.25]
    assert float(difference(2)) == -0.25
    assert difference.clip(minimum=0.0).rates(3).tolist() == [0.75, 0.25, 0.0]


def test_sums_and_products_stay_flat():
    assert s.Sum((BASE, OTHER, 1.0)) == BASE + OTHER + 1.0
    assert s.Product((BASE, 2.0, OTHER)) == 2.0 * BASE * OTHER
    same((BASE + OTHER) + 1.0, BASE + (OTHER + 1.0))
    same((BASE * OTHER) * 2.0, BASE * (OTHER * 2.0))
    same((BASE + OTHER) * 2.0, BASE * 2.0 + OTHER * 2.0)


@pytest.mark.parametrize("stranger", ["0.5", None, [1.0], {}, True])
def test_operators_with_strangers(stranger):
    for operate in (operator.add, operator.sub, operator.mul):
        with pytest.raises(TypeError, match="unsupported operand type|can't multiply"):
            operate(BASE, stranger)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_operators_with_numbers_that_are_none(bad):
    with pytest.raises(ValueError, match="`term` must be a finite number. Received: term="):
        BASE * bad


def test_foreign_schedule_that_is_wrong_says_why():
    broken = keras.optimizers.schedules.ExponentialDecay(-0.1, 10, 0.5)
    with pytest.raises(ValueError, match="`initial_learning_rate` must be .*Received"):
        BASE * broken


# The greatest and the least


@pytest.mark.parametrize(
    "function, reduce", [(s.maximum, np.maximum.reduce), (s.minimum, np.minimum.reduce)]
)
@pytest.mark.parametrize("foreign, ours", FOREIGN)
def test_extremes_take_what_sums_take(function, reduce, foreign, ours):
    rates = [BASE.rates(STEPS), ours.rates(STEPS), np.full(200, 0.05)]
    np.testing.assert_allclose(function(BASE, foreign, 0.05).rates(STEPS), reduce(rates))
    np.testing.assert_allclose(function(0.05, foreign, BASE).rates(STEPS), reduce(rates))


def test_extremes_stay_flat_and_bound_each_other():
    assert s.maximum(s.maximum(BASE, OTHER), 0.1) == s.Maximum((BASE, OTHER, 0.1))
    assert s.minimum(BASE, s.minimum(OTHER, 0.1)) == s.Minimum((BASE, OTHER, 0.1))
    same(s.maximum(BASE, OTHER) + s.minimum(BASE, OTHER), BASE + OTHER)
    same(s.minimum(s.maximum(BASE, 0.02), 0.08), BASE.clip(0.02, 0.08))
    assert s.maximum(0.1, 0.2).rates(3).tolist() == [0.2] * 3


@pytest.mark.parametrize("function", [s.maximum, s.minimum])
@pytest.mark.parametrize(
    "terms, says",
    [
        ((), "`terms` must be a list of 1 or more. Received"),
        ((BASE, "0.1"), "`terms` must be a schedule, a function of the step or a number. Received"),
        ((BASE, float("nan")), "`terms` must be a finite number. Received: terms=nan"),
    ],
)
def test_extremes_of_strangers(function, terms, says):
    with pytest.raises(ValueError, match=says):
        function(*terms)


def test_marks_are_those_of_the_terms():
    schedule = BASE.with_warmup(10) * s.MultiStepDecay(1.0, [30, 60], 0.5) + 0.1
    assert schedule.marks(50) == ((10, "warmup end"), (30, "boundary"))


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: s.Sum([]), "`terms` must be a list of 1 or more. Received"),
        (lambda: s.Product([BASE, "2"]), r"`terms\[1\]` must be a schedule.*Received"),
    ],
)
def test_bad_terms(build, says):
    with pytest.raises(ValueError, match=says):
        build()
