import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr import schedules as s

CLASSES = [s.LinearDecay, s.SqrtDecay, s.RexDecay, s.TanhDecay, s.KDecay]
rates = st.floats(min_value=0, max_value=10, width=32)


@pytest.mark.parametrize("schedule_class", CLASSES)
@given(rates, rates, st.integers(1, 10**6))
def test_ends_are_exact_and_held(schedule_class, initial, end, duration):
    schedule = schedule_class(initial, duration, end)
    held = [duration, duration + 0.5, duration + 1, 1000 * duration]
    assert schedule.rates([0])[0] == initial
    np.testing.assert_array_equal(schedule.rates(held), end)


@pytest.mark.parametrize("schedule_class", CLASSES)
@pytest.mark.parametrize("initial, end", [(0.1, 0.01), (0.01, 0.1)])
def test_monotone(schedule_class, initial, end):
    steps = np.diff(schedule_class(initial, 1000, end).rates(1002))
    assert (steps * (end - initial) >= 0).all()


@pytest.mark.parametrize("schedule_class", CLASSES)
def test_real_length(schedule_class):
    schedule = schedule_class(1.0, 2.5)
    assert schedule.rates([2])[0] > 0
    assert schedule.rates([3])[0] == 0


def test_special_cases_are_the_simpler_schedule():
    steps = np.linspace(0, 110, 221)
    linear = s.LinearDecay(0.1, 100, 0.01).rates(steps)
    np.testing.assert_allclose(s.RexDecay(0.1, 100, 0.01, beta=0).rates(steps), linear)
    cosine = s.CosineDecay(0.1, 100).rates(steps)
    np.testing.assert_allclose(s.KDecay(0.1, 100).rates(steps), cosine, atol=1e-16)


def test_linear_decay_from_rate():
    assert s.LinearDecay.from_rate(1.0, 0.25, 0.5).rates(4).tolist() == [1.0, 0.75, 0.5, 0.5]
    np.testing.assert_allclose(
        s.LinearDecay.from_rate(0.1, 0.003).rates(50), np.maximum(0.1 - 0.003 * np.arange(50), 0)
    )


def test_tanh_is_steepest_in_the_middle():
    rates = s.TanhDecay(1.0, 100, lower=-3, upper=3).rates(101)
    assert rates[50] == pytest.approx(0.5)
    assert np.abs(np.diff(rates)).argmax() in (49, 50)


def test_curve_of_ones_own():
    class QuarterCircle(s.Annealing):
        def curve(self, u, xp):
            return 1.0 - xp.sqrt(1.0 - u * u)

    assert QuarterCircle(1.0, 10).rates([6])[0] == pytest.approx(0.8)
    with pytest.raises(NotImplementedError, match=r"Annealing must define `curve\(self, u, xp\)`"):
        s.Annealing(0.1, 10)(0)


@pytest.mark.parametrize("schedule_class", CLASSES)
@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, True, None, "0.1 epoch rate", [0.1]])
def test_bad_numbers(schedule_class, bad):
    good = {"initial_learning_rate": 0.1, "decay_steps": 10, "end_learning_rate": 0.0}
    for name in good:
        with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}="):
            schedule_class(**{**good, name: bad})


@pytest.mark.parametrize(
    "build, says",
    [
        (
            lambda: s.RexDecay(0.1, 10, beta=1.0),
            "`beta` must be .*>= 0 and < 1. Received: beta=1.0",
        ),
        (
            lambda: s.TanhDecay(0.1, 10, lower=3.0),
            "`upper` must be > lower = 3.0. Received: upper=",
        ),
        (lambda: s.KDecay(0.1, 10, k=0), "`k` must be a finite number > 0. Received: k=0"),
        (lambda: s.LinearDecay.from_rate(0.1, 0), "`rate` must be .*> 0. Received: rate=0"),
        (
            lambda: s.LinearDecay.from_rate(0.1, 1, 0.2),
            "`end_learning_rate` must be .*< 0.1. Recei",
        ),
    ],
)
def test_bad_arguments(build, says):
    with pytest.raises(ValueError, match=says):
        build()
