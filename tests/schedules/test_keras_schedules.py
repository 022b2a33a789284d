"""Our six schedules of Keras' names against Keras' own on a grid, and where Keras errs."""

import math

import keras
import numpy as np
import pytest
from keras.optimizers import schedules as theirs
from support.arrays import to_numpy

from keras_lr import schedules as ours

GRID = {
    "ExponentialDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 100, "decay_rate": 0.9},
        {"initial_learning_rate": 0.1, "decay_steps": 7.5, "decay_rate": 0.99},
        {"initial_learning_rate": 0.1, "decay_steps": 30, "decay_rate": 0.5, "staircase": True},
        {"initial_learning_rate": 0.1, "decay_steps": 1000, "decay_rate": 1.1},
    ],
    "InverseTimeDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 100, "decay_rate": 0.9},
        {"initial_learning_rate": 0.1, "decay_steps": 30, "decay_rate": 2.0, "staircase": True},
    ],
    "PolynomialDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 100},
        {"initial_learning_rate": 0.1, "decay_steps": 100, "end_learning_rate": 0.2, "power": 2.0},
        {"initial_learning_rate": 0.1, "decay_steps": 30, "power": 0.5, "cycle": True},
    ],
    "CosineDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 100},
        {"initial_learning_rate": 0.1, "decay_steps": 62.5, "alpha": 0.2},
        {
            "initial_learning_rate": 0.02,
            "decay_steps": 100,
            "alpha": 0.1,
            "warmup_target": 0.1,
            "warmup_steps": 50,
        },
        {"initial_learning_rate": 0.1, "decay_steps": 100, "warmup_steps": 50},
        {"initial_learning_rate": 0.1, "decay_steps": 100, "warmup_target": 0.2},
    ],
    "CosineDecayRestarts": [
        {"initial_learning_rate": 0.1, "first_decay_steps": 30, "t_mul": 1.0, "m_mul": 0.9},
        {"initial_learning_rate": 0.1, "first_decay_steps": 30, "alpha": 0.1},
        {"initial_learning_rate": 0.1, "first_decay_steps": 30, "t_mul": 3.0, "m_mul": 0.5},
    ],
    "PiecewiseConstantDecay": [
        {"boundaries": [10, 50, 100], "values": [0.1, 0.05, 0.02, 0.01]},
        {"boundaries": [0], "values": [0.1, 0.2]},
    ],
}
ROWS = [(name, arguments) for name, rows in GRID.items() for arguments in rows]
GRID_STEPS = [0, 1, 2, 9, 10, 11, 29, 49, 50, 51, 99, 100, 101, 149, 500, 12345, 0.5, 10.5, 77.25]


def assert_same(name, arguments, steps):
    our, their = (getattr(module, name)(**arguments) for module in (ours, theirs))
    their_rates = [float(their(step)) for step in steps]
    # Keras computes in float32, and a step of 12345 / 30 keeps 4 digits of its phase there.
    np.testing.assert_allclose(our.rates(steps), their_rates, rtol=2e-5, atol=2e-6)
    assert our.get_config().items() >= their.get_config().items() or "boundaries" in arguments


@pytest.mark.parametrize("name, arguments", ROWS)
def test_ours_equal_keras(name, arguments):
    assert_same(name, arguments, GRID_STEPS)


def means_nothing_at_negative_steps(name, arguments):
    """Where Keras' formula runs into the void before update 0, and ours goes on finite."""
    return (
        # -0 cycles: the rate is -inf.
        arguments.get("cycle")
        # Cycles that grow are continued backwards as ever shorter ones, down to a NaN.
        or arguments.get("t_mul", 2.0 if "Restarts" in name else 1.0) != 1.0
        # A target without warmup steps: division by zero.
        or ("warmup_target" in arguments and "warmup_steps" not in arguments)
    )


@pytest.mark.parametrize(
    "name, arguments", [row for row in ROWS if not means_nothing_at_negative_steps(*row)]
)
def test_ours_equal_keras_at_negative_steps(name, arguments):
    assert_same(name, arguments, [-1, -0.5, -17, -29.0])


@pytest.mark.parametrize(
    "name, arguments", [row for row in ROWS if means_nothing_at_negative_steps(*row)]
)
def test_ours_are_finite_at_negative_steps(name, arguments):
    assert np.isfinite(getattr(ours, name)(**arguments).rates([-1, -0.5, -17, -1e6])).all()


@pytest.mark.parametrize("name", GRID)
def test_positional_arguments_are_keras(name):
    arguments = list(GRID[name][0].values())
    our, their = (getattr(module, name)(*arguments) for module in (ours, theirs))
    assert our.get_config()["name"] == their.get_config()["name"]
    assert float(our(20)) == pytest.approx(float(their(20)), rel=1e-5)


def test_name_is_the_fourth_argument_of_cosine_decay():
    assert ours.CosineDecay(0.1, 100, 0.0, "my_cosine").name == "my_cosine"


# Where Keras is wrong


def test_integer_rates():
    # Keras computes in the type of the initial rate: pi is 3 and 0.9 is 0 in integers.
    assert ours.CosineDecay(1, 100).rates([50])[0] == pytest.approx(0.5)
    np.testing.assert_allclose(ours.ExponentialDecay(1, 100, 0.9).rates([100]), 0.9)
    warm = ours.CosineDecay(0, 1000, warmup_target=0.1, warmup_steps=1000)
    np.testing.assert_allclose(warm.rates([0, 500, 1000]), [0, 0.05, 0.1])
    # TensorFlow and PyTorch raise in Keras for a list that begins with an integer.
    np.testing.assert_array_equal(
        ours.PiecewiseConstantDecay([5], [1, 0.5]).rates([5, 6]), [1, 0.5]
    )


def test_arrays_of_steps_under_warmup():
    # Keras raises on all back ends: its `ops.cond` takes a scalar only.
    schedule = ours.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=4)
    np.testing.assert_allclose(to_numpy(schedule(np.arange(6))[:5]), [0, 0.25, 0.5, 0.75, 1])


def test_arrays_of_steps_for_piecewise_constant():
    # Keras raises on PyTorch: it adds an array to a scalar in place.
    schedule = ours.PiecewiseConstantDecay([2, 4], [0.5, 0.25, 0.125])
    rates = to_numpy(schedule(np.arange(6)))
    np.testing.assert_array_equal(rates, [0.5, 0.5, 0.5, 0.25, 0.25, 0.125])


def test_restarts_at_their_very_update():
    # Keras finds the cycle by a float logarithm, and is a step late where that falls short.
    slow = ours.CosineDecayRestarts(1.0, 1000, t_mul=1.1)
    np.testing.assert_array_equal(slow.rates([2100, 3310]), 1.0)
    for t_mul, restarts in [(2.0, [10, 81910, 327670]), (10.0, [10, 110, 11110, 111110])]:
        schedule = ours.CosineDecayRestarts(1.0, 10, t_mul=t_mul)
        np.testing.assert_array_equal(schedule.rates(restarts), 1.0)
        assert (schedule.rates(np.array(restarts) - 1) < 0.03).all()


@pytest.mark.parametrize("length", [100, 390, 1000])
def test_restarts_beyond_float32(length, accelerator):
    # A float32 counter of steps, as Keras has it, stops at 2**24: half the steps are wrong.
    schedule = ours.CosineDecayRestarts(0.1, length, t_mul=1.0)
    start = 50_000_000 // length * length
    np.testing.assert_allclose(schedule.rates(start + np.arange(200)), schedule.rates(200))
    steps = keras.ops.convert_to_tensor(start + np.arange(200), dtype="int32")
    np.testing.assert_allclose(to_numpy(schedule(steps)), schedule.rates(200), atol=2e-8)


def test_last_restart_before_the_counter_ends(accelerator):
    # The cycle after the last one starts beyond int32 and must not wrap around.
    schedule = ours.CosineDecayRestarts(0.1, 10)
    steps = np.array([2**31 - 2, 2**30])
    on_device = schedule(keras.ops.convert_to_tensor(steps, dtype="int32"))
    np.testing.assert_allclose(to_numpy(on_device), schedule.rates(steps), atol=2e-8)


def test_floor_and_ceiling_of_exponential_decay():
    falling = ours.ExponentialDecay(0.8, 1, 0.5, end_learning_rate=0.3)
    np.testing.assert_allclose(falling.rates([0, 1, 2, 1000]), [0.8, 0.4, 0.3, 0.3])
    growing = ours.ExponentialDecay(0.1, 1, 2.0, end_learning_rate=0.3)
    np.testing.assert_allclose(growing.rates([0, 1, 2, 1000]), [0.1, 0.2, 0.3, 0.3])
    with pytest.raises(TypeError, match="positional argument"):
        ours.ExponentialDecay(0.8, 1, 0.5, False, "name", 0.3)


def test_ends_are_exact():
    for schedule in (ours.PolynomialDecay(0.3, 7, 0.1), ours.CosineDecay(0.3, 7, 1 / 3)):
        assert schedule.rates([0])[0] == 0.3
        np.testing.assert_allclose(schedule.rates([7, 70]), 0.1, rtol=1e-15)


def test_cycle_jumps_after_each_multiple():
    schedule = ours.PolynomialDecay(1.0, 4, 0.0, cycle=True)
    np.testing.assert_allclose(schedule.rates([4, 5, 8, 9, 12]), [0, 3 / 8, 0, 3 / 12, 0])


def test_boundary_is_still_the_old_piece_as_in_keras():
    schedule = ours.PiecewiseConstantDecay([2, 4], [0.1, 0.01, 0.001])
    assert schedule.rates(6).tolist() == [0.1, 0.1, 0.1, 0.01, 0.01, 0.001]


def test_growing_cycles_start_whole():
    schedule = ours.CosineDecayRestarts(1.0, 2, t_mul=1.5, m_mul=0.5)
    # Cycles of 2, 3, 4.5 updates: the third starts at 5, the fourth at 9.5, so first at 10.
    rates = schedule.rates([2, 5, 10])
    np.testing.assert_allclose(rates[:2], [0.5, 0.25])
    assert rates[2] == pytest.approx(0.125 * (1 + math.cos(math.pi * 0.5 / 6.75)) / 2)


def test_equal_cycles_of_real_length():
    schedule = ours.CosineDecayRestarts(1.0, 2.5, t_mul=1.0)
    np.testing.assert_allclose(schedule.rates([0, 5, 10]), 1.0)


def test_hopeless_growth_is_refused():
    with pytest.raises(ValueError, match="`t_mul` must be 1, or so large.*Received: t_mul=1.0000"):
        ours.CosineDecayRestarts(0.1, 10, t_mul=1.000001)
    # In epochs it is found when the length is known.
    in_epochs = ours.CosineDecayRestarts(0.1, "1 epoch", t_mul=1.000001)
    with pytest.raises(ValueError, match="`t_mul` must be 1, or so large.*Received: t_mul=1.0000"):
        in_epochs.resolve(steps_per_epoch=10)


BAD = [
    (ours.ExponentialDecay, {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9}),
    (ours.InverseTimeDecay, {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9}),
    (ours.PolynomialDecay, {"initial_learning_rate": 0.1, "decay_steps": 10, "power": 1.0}),
    (ours.CosineDecay, {"initial_learning_rate": 0.1, "decay_steps": 10, "alpha": 0.0}),
    (
        ours.CosineDecayRestarts,
        {"initial_learning_rate": 0.1, "first_decay_steps": 10, "t_mul": 2.0},
    ),
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
        (lambda: ours.ExponentialDecay(0.1, 10, 0), "`decay_rate` must be .* > 0. Received"),
        (lambda: ours.ExponentialDecay(0.1, 10, 0.9, "yes"), "`staircase` must be True or False"),
        (
            lambda: ours.PolynomialDecay(0.1, 10, power=0),
            "`power` must be .* > 0. Received: power=0",
        ),
        (lambda: ours.CosineDecay(0.1, 10, warmup_steps=-1), "`warmup_steps` must be .*>= 0"),
        (lambda: ours.CosineDecayRestarts(0.1, 10, t_mul=0.5), "`t_mul` must be .*>= 1. Received"),
        (
            lambda: ours.PiecewiseConstantDecay([2, 1], [1, 2, 3]),
            "`boundaries` must be strictly incr",
        ),
        (
            lambda: ours.PiecewiseConstantDecay([1, 2], [1, 2]),
            "`values` must be one more than the 2",
        ),
        (lambda: ours.PiecewiseConstantDecay([1], [1, -2]), r"`values\[1\]` must be .*Received"),
        (
            lambda: ours.PiecewiseConstantDecay([2**31], [1, 2]),
            r"`boundaries\[0\]` must be .*< 2\*\*31",
        ),
        (lambda: ours.PiecewiseConstantDecay([2.5], [1, 2]), r"`boundaries\[0\]` must be .*whole"),
        (
            lambda: ours.PiecewiseConstantDecay([True], [1, 2]),
            r"`boundaries\[0\]` must be .*Received",
        ),
        (lambda: ours.PiecewiseConstantDecay([], [1]), "`boundaries` must be a list of 1 or more"),
    ],
)
def test_bad_arguments(build, says):
    with pytest.raises(ValueError, match=says):
        build()
