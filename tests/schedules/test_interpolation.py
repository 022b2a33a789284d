import numpy as np
import pytest

from keras_lr.schedules import LinearDecay, PiecewiseCosine, PiecewiseLinear, WarmupCosine

POINTS = ([3, 10, 2**24 + 5, 2**30], [0.2, 1.0, 0.5, 0.1])


@pytest.mark.parametrize("kind", [PiecewiseLinear, PiecewiseCosine])
def test_every_point_is_met_exactly_and_the_ends_are_held(kind):
    schedule = kind(*POINTS)
    assert schedule.rates(POINTS[0]).tolist() == POINTS[1]
    assert schedule.rates([-5, 0, 2, 2**30 + 1, 2**31 - 1]).tolist() == [0.2, 0.2, 0.2, 0.1, 0.1]


def test_linear_is_what_numpy_interpolates():
    steps = np.arange(-3, 60)
    boundaries, values = [4, 5, 20, 50], [0.1, 0.7, 0.0, 0.3]
    np.testing.assert_allclose(
        PiecewiseLinear(boundaries, values).rates(steps), np.interp(steps, boundaries, values)
    )


def test_cosine_is_level_at_its_points_and_halfway_between():
    schedule = PiecewiseCosine([0, 1000, 3000], [0.0, 1.0, 0.5])
    assert schedule.rates([500, 2000]).round(12).tolist() == [0.5, 0.75]
    near = schedule.rates([0, 1, 999, 1001, 2999, 3000])
    assert np.abs(np.diff(near)[[0, 4]]).max() < 3e-6
    assert near[2] > 1 - 3e-6 and near[3] > 1 - 3e-6


def test_two_points_are_a_decay():
    rates = PiecewiseLinear([0, 8], [1.0, 0.0]).rates(10)
    np.testing.assert_array_equal(rates, LinearDecay(1.0, 8).rates(10))


def test_durations():
    schedule = PiecewiseLinear(["1 epoch", "50%"], [0.1, 0.2])
    assert schedule.resolve(4, steps_per_epoch=10) == PiecewiseLinear([10, 20], [0.1, 0.2])


def test_marks_are_the_points_where_the_next_piece_begins():
    assert PiecewiseLinear([0, 10, 30], [0.1, 0.2, 0.3]).marks(100) == ((10, "boundary"),)
    assert WarmupCosine(0.1, 100, warmup=5).marks(100) == ((5, "warmup end"),)


@pytest.mark.parametrize(
    "boundaries, values, says",
    [
        ([5], [0.1], "`boundaries` must be a list of 2 or more. Received: boundaries="),
        ([], [], "`boundaries` must be a list of 1 or more. Received: boundaries="),
        ([0, 5], [0.1], "`values` must be one for each of the 2 boundaries. Received: values="),
        ([5, 5], [0.1, 0.2], "`boundaries` must be strictly increasing. Received"),
        ([0.5, 5], [0.1, 0.2], r"`boundaries\[0\]` must be .*whole.*Received"),
        ([0, 5], [0.1, -0.2], r"`values\[1\]` must be a finite number >= 0. Received"),
        ([0, 5], "ab", "`values` must be a list.*Received: values='ab'"),
    ],
)
def test_bad_arguments(boundaries, values, says):
    with pytest.raises(ValueError, match=says):
        PiecewiseLinear(boundaries, values)
