import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr import schedules as s

COSINE = s.CosineDecay(0.1, 50)


# Repeat


def test_every_cycle_begins_anew():
    rates = s.Repeat(s.LinearDecay(0.1, 30), 25).rates(1000).reshape(40, 25)
    np.testing.assert_array_equal(rates, np.tile(s.LinearDecay(0.1, 30).rates(25), (40, 1)))


@pytest.mark.parametrize("growth", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("height", [1.0, 0.7])
def test_a_repeated_cosine_is_sgdr(growth, height):
    repeated = COSINE.repeat(50, growth, height)
    sgdr = s.CosineDecayRestarts(0.1, 50, growth, height)
    np.testing.assert_allclose(repeated.rates(5000), sgdr.rates(5000), rtol=1e-12, atol=1e-16)


@given(st.floats(1.001, 4), st.integers(5, 500))
def test_growing_cycles_restart_at_whole_updates_and_none_is_missed(growth, period):
    schedule = s.Constant(1.0).then(0.5, at=1).repeat(period, growth)
    restarts = [update for update, word in schedule.marks(20_000) if word == "restart"]
    exact = np.cumsum(period * growth ** np.arange(len(restarts)))
    assert np.abs(np.array(restarts) - exact).max(initial=0) <= 0.5 + 1e-6
    np.testing.assert_array_equal(schedule.rates(restarts), 1.0)
    np.testing.assert_array_equal(schedule.rates(np.array(restarts) - 1), 0.5)


@pytest.mark.parametrize("growth", [2.0**31, 1e300])
def test_growth_beyond_all_updates(growth):
    for schedule in (COSINE.repeat(50, growth), s.CosineDecayRestarts(0.1, 50, growth)):
        rates = schedule.rates([0, 49, 50, 10**6])
        np.testing.assert_allclose(rates, [0.1, 0.0001, 0.1, 0.1], atol=2e-5)
        assert schedule.marks(2**31 - 2) == ((50, "restart"),)


def test_warmup_in_every_cycle():
    rates = s.Repeat(s.Constant(1.0).with_warmup(2), 4).rates(8)
    assert rates.tolist() == [0.5, 1.0, 1.0, 1.0] * 2
    marks = s.Repeat(s.Constant(1.0).with_warmup(2), 4, 2.0).marks(14)
    assert marks == ((2, "warmup end"), (4, "restart"), (8, "warmup end"), (12, "restart"))


def test_exact_beyond_what_float32_counts():
    schedule = s.Repeat(s.Tabulated([1.0, 2.0, 3.0]), 3)
    steps = 3 * (2**24 // 3) + np.arange(6)
    assert [float(schedule(np.int32(step))) for step in steps] == [1.0, 2.0, 3.0] * 2


# Triangles


def test_triangles_touch_both_bounds():
    schedule = s.CyclicalLearningRate(0.01, 0.1, 30, 70)
    np.testing.assert_allclose(schedule.rates([0, 30, 100, 130]), [0.01, 0.1, 0.01, 0.1])
    rates = schedule.rates(1000)
    assert (rates.min(), rates.max()) == (0.01, 0.1)


def test_default_way_down_is_as_long_as_up():
    default = s.CyclicalLearningRate(0.01, 0.1, 30)
    np.testing.assert_array_equal(
        default.rates(200), s.CyclicalLearningRate(0.01, 0.1, 30, 30).rates(200)
    )
    assert default.marks(130) == ((60, "restart"), (120, "restart"))


def test_amplitude_of_each_mode():
    peaks = np.array([5, 15, 25, 35])
    halved = s.CyclicalLearningRate(0.0, 1.0, 5, mode="triangular2").rates(peaks)
    assert halved.tolist() == [1.0, 0.5, 0.25, 0.125]
    shrinking = s.CyclicalLearningRate(0.0, 1.0, 5, mode="exp_range", gamma=0.9).rates(peaks)
    np.testing.assert_allclose(shrinking, 0.9**peaks)


# One cycle


@pytest.mark.parametrize("anneal", ["cosine", "linear"])
def test_rates_that_one_cycle_promises(anneal):
    schedule = s.OneCycle(0.5, 1000, anneal=anneal)
    np.testing.assert_allclose(
        schedule.rates([0, 300, 1000, 10**6]), [0.02, 0.5, 2e-6, 2e-6], rtol=1e-12
    )
    assert schedule.rates(1001).argmax() == 300


def test_three_phases_mirror_the_climb():
    schedule = s.OneCycle(0.5, 1000, 0.4, three_phase=True)
    up, down = schedule.rates(401), schedule.rates(np.arange(800, 399, -1))
    np.testing.assert_allclose(up, down, rtol=1e-12)
    assert schedule.rates([1000])[0] == pytest.approx(0.5 / 25 / 1e4)


def test_momentum_runs_against_the_rate():
    cycle = s.OneCycle(0.5, 100, three_phase=True)
    momentum = cycle.momentum(0.8, 0.9)
    np.testing.assert_allclose(momentum.rates([0, 30, 60, 100]), [0.9, 0.8, 0.9, 0.9])
    rising = np.diff(cycle.rates(60)) > 0
    assert ((np.diff(momentum.rates(60)) < 0) == rising).all()
    planned = s.OneCycle(0.5, "100%").momentum()
    resolved = planned.resolve(total_steps=100)
    assert resolved == s.OneCycle(0.5, 100).momentum()


def test_slanted_triangular_peaks_at_its_cut():
    schedule = s.SlantedTriangular(0.32, 200)
    assert schedule.rates([0, 20, 200, 500]).round(12).tolist() == [0.01, 0.32, 0.01, 0.01]


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: s.Repeat(COSINE, 0), "`period` must be .*> 0.*Received: period=0"),
        (lambda: s.Repeat(COSINE, 2.5), "`period` must be .*whole.*Received: period=2.5"),
        (lambda: COSINE.repeat(10, 0.5), "`period_multiplier` must be .*>= 1. Received"),
        (lambda: COSINE.repeat(10, 1 + 1e-9), "`period_multiplier` must be 1, or so large.*Recei"),
        (lambda: COSINE.repeat(10, 1.0, -1.0), "`amplitude_multiplier` must be .*>= 0. Received"),
        (lambda: s.Repeat("x", 5), "`schedule` must be a schedule.*Received: schedule='x'"),
        (lambda: s.CyclicalLearningRate(0.1, 1.0, 0), "`step_size` must be .*> 0.*Received"),
        (lambda: s.CyclicalLearningRate(0.1, 1.0, 5, 0), "`step_size_down` must be .*> 0.*Recei"),
        (lambda: s.CyclicalLearningRate(0.1, 1.0, 5, mode="sine"), "`mode` must be one of 'tri"),
        (lambda: s.CyclicalLearningRate(0.1, 1.0, 5, gamma=0.9), "`gamma` must be 1.0 unless mode"),
        (
            lambda: s.CyclicalLearningRate(0.1, 1.0, 5, mode="exp_range", gamma=1.1),
            "`gamma` must be a finite number > 0 and <= 1. Received: gamma=1.1",
        ),
        (lambda: s.OneCycle(0.1, 100, 0.0), "`pct_start` must be .*> 0 and < 1. Received"),
        (lambda: s.OneCycle(0.1, 100, 1.0), "`pct_start` must be .*> 0 and < 1. Received"),
        (lambda: s.OneCycle(0.1, 100, 0.001), "`pct_start` must leave at least one .*Received"),
        (lambda: s.OneCycle(0.1, 1), "`pct_start` must leave at least.*total_steps=1"),
        (
            lambda: s.OneCycle(0.1, 100, 0.5, three_phase=True),
            "`pct_start` must leave at least one update for each phase. Received: pct_start=0.5",
        ),
        (lambda: s.OneCycle(0.1, 100, anneal="sine"), "`anneal` must be one of 'cosine', 'linear'"),
        (lambda: s.OneCycle(0.1, 100, three_phase="no"), "`three_phase` must be True or False"),
        (lambda: s.OneCycle(0.1, 100).momentum(0.9, 0.8), "`maximum` must be .*>= 0.9 and < 1"),
        (lambda: s.OneCycle(0.1, 100).momentum(0.9, 1.0), "`maximum` must be .*>= 0.9 and < 1"),
        (
            lambda: s.SlantedTriangular(0.1, 10, 0.01),
            "`cut` must leave at least one update each",
        ),
        (lambda: s.SlantedTriangular(0.1, 10, ratio=0.5), "`ratio` must be .*>= 1. Received"),
    ],
)
def test_bad_arguments(build, says):
    with pytest.raises(ValueError, match=says):
        build()
