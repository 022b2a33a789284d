import math

import numpy as np
import pytest

from keras_lr import schedules as s


def test_floor_and_ceiling_of_exponential_decay():
    falling = s.ExponentialDecay(0.8, 1, 0.5, end_learning_rate=0.3)
    np.testing.assert_allclose(falling.rates([0, 1, 2, 1000]), [0.8, 0.4, 0.3, 0.3])
    growing = s.ExponentialDecay(0.1, 1, 2.0, end_learning_rate=0.3)
    np.testing.assert_allclose(growing.rates([0, 1, 2, 1000]), [0.1, 0.2, 0.3, 0.3])
    with pytest.raises(TypeError, match="positional argument"):
        s.ExponentialDecay(0.8, 1, 0.5, False, "name", 0.3)


def test_ends_are_exact():
    for schedule in (s.PolynomialDecay(0.3, 7, 0.1), s.CosineDecay(0.3, 7, 1 / 3)):
        assert schedule.rates([0])[0] == 0.3
        np.testing.assert_allclose(schedule.rates([7, 70]), 0.1, rtol=1e-15)


def test_cycle_jumps_after_each_multiple():
    schedule = s.PolynomialDecay(1.0, 4, 0.0, cycle=True)
    np.testing.assert_allclose(schedule.rates([4, 5, 8, 9, 12]), [0, 3 / 8, 0, 3 / 12, 0])


def test_boundary_is_still_the_old_piece_as_in_keras():
    schedule = s.PiecewiseConstantDecay([2, 4], [0.1, 0.01, 0.001])
    assert schedule.rates(6).tolist() == [0.1, 0.1, 0.1, 0.01, 0.01, 0.001]


def test_growing_cycles_start_whole():
    schedule = s.CosineDecayRestarts(1.0, 2, t_mul=1.5, m_mul=0.5)
    # Cycles of 2, 3, 4.5 updates: the third starts at 5, the fourth at 9.5, so first at 10.
    rates = schedule.rates([2, 5, 10])
    np.testing.assert_allclose(rates[:2], [0.5, 0.25])
    assert rates[2] == pytest.approx(0.125 * (1 + math.cos(math.pi * 0.5 / 6.75)) / 2)


def test_equal_cycles_of_real_length():
    schedule = s.CosineDecayRestarts(1.0, 2.5, t_mul=1.0)
    np.testing.assert_allclose(schedule.rates([0, 5, 10]), 1.0)


def test_hopeless_growth_is_refused():
    with pytest.raises(ValueError, match="`t_mul` must be 1, or so large.*Received: t_mul=1.0000"):
        s.CosineDecayRestarts(0.1, 10, t_mul=1.000001)
    # In epochs it is found when the length is known.
    in_epochs = s.CosineDecayRestarts(0.1, "1 epoch", t_mul=1.000001)
    with pytest.raises(ValueError, match="`t_mul` must be 1, or so large.*Received: t_mul=1.0000"):
        in_epochs.resolve(steps_per_epoch=10)


BAD = [
    (s.ExponentialDecay, {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9}),
    (s.InverseTimeDecay, {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9}),
    (s.PolynomialDecay, {"initial_learning_rate": 0.1, "decay_steps": 10, "power": 1.0}),
    (s.CosineDecay, {"initial_learning_rate": 0.1, "decay_steps": 10, "alpha": 0.0}),
    (s.CosineDecayRestarts, {"initial_learning_rate": 0.1, "first_decay_steps": 10, "t_mul": 2.0}),
]


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), True, None, "fast", [0.1]])
@pytest.mark.parametrize("schedule_class, arguments", BAD)
def test_bad_numbers(schedule_class, arguments, bad):
    for name in arguments:
        with pytest.raises(ValueError, match=rf"`{name}` must be .*Received: {name}="):
            schedule_class(**{**arguments, name: bad})


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: s.ExponentialDecay(0.1, 10, 0), "`decay_rate` must be .* > 0. Received"),
        (lambda: s.ExponentialDecay(0.1, 10, 0.9, "yes"), "`staircase` must be True or False"),
        (lambda: s.PolynomialDecay(0.1, 10, power=0), "`power` must be .* > 0. Received: power=0"),
        (lambda: s.CosineDecay(0.1, 10, warmup_steps=-1), "`warmup_steps` must be .*>= 0"),
        (lambda: s.CosineDecayRestarts(0.1, 10, t_mul=0.5), "`t_mul` must be .*>= 1. Received"),
        (lambda: s.PiecewiseConstantDecay([2, 1], [1, 2, 3]), "`boundaries` must be strictly incr"),
        (lambda: s.PiecewiseConstantDecay([1, 2], [1, 2]), "`values` must be one more than the 2"),
        (lambda: s.PiecewiseConstantDecay([1], [1, -2]), r"`values\[1\]` must be .*Received"),
        (
            lambda: s.PiecewiseConstantDecay([2**31], [1, 2]),
            r"`boundaries\[0\]` must be .*< 2\*\*31",
        ),
        (lambda: s.PiecewiseConstantDecay([2.5], [1, 2]), r"`boundaries\[0\]` must be .*whole"),
        (lambda: s.PiecewiseConstantDecay([True], [1, 2]), r"`boundaries\[0\]` must be .*Received"),
        (lambda: s.PiecewiseConstantDecay([], [1]), "`boundaries` must be a list of 1 or more"),
    ],
)
def test_bad_arguments(build, says):
    with pytest.raises(ValueError, match=says):
        build()
