from statistics import NormalDist

import numpy as np
import pytest
from keras import ops
from support.arrays import to_numpy
from support.backends import compiled

from keras_lr.schedules import Constant, Jitter, LinearDecay, RandomLogUniform, RandomUniform

# Computed once by the reference implementation; the same on every back end since.
REFERENCE = [
    0.2879204750061035,
    0.16698020696640015,
    0.028228819370269775,
    0.9647769927978516,
    0.10539847612380981,
]
COUNT = 10**6


def draws(seed, steps=COUNT, **options):
    return RandomUniform(0.0, 1.0, seed=seed, **options).rates(steps)


def test_bits_of_the_reference():
    np.testing.assert_array_equal(draws(42, 5), REFERENCE)


@pytest.mark.parametrize("how", compiled.keys())
def test_bits_are_the_same_compiled(how):
    steps = np.concatenate([np.arange(1000), 2**24 + np.arange(-3, 3), 2**31 - 2 - np.arange(3)])
    function = compiled[how](RandomUniform(0.0, 1.0, seed=3))
    actual = to_numpy(function(ops.convert_to_tensor(steps, dtype="int32")))
    np.testing.assert_array_equal(actual, draws(3, steps))


def test_order_of_evaluation_does_not_matter():
    schedule = RandomUniform(0.0, 1.0, seed=1)
    order = np.random.default_rng(0).permutation(1000)
    np.testing.assert_array_equal(schedule.rates(order), schedule.rates(1000)[order])
    singly = [to_numpy(schedule(int(step))) for step in order[:50]]
    np.testing.assert_array_equal(singly, schedule.rates(order[:50]).astype("float32"))


def test_every_holds_a_draw():
    held = draws(5, 12, every=4)
    np.testing.assert_array_equal(held, np.repeat(draws(5, 3), 4))


def assert_uniform(u):
    """By the χ² of 256 bins, which is 255 ± 22.6."""
    counts = np.histogram(u, bins=256, range=(0, 1))[0]
    assert counts.sum() == COUNT
    chi_square = ((counts - COUNT / 256) ** 2 / (COUNT / 256)).sum()
    assert abs(chi_square - 255) / np.sqrt(2 * 255) < 3


def test_uniform_by_chi_square():
    assert_uniform(draws(42))


def test_log_uniform_by_chi_square():
    rates = RandomLogUniform(1e-5, 1e-1, seed=42).rates(COUNT)
    assert_uniform((np.log10(rates) + 5) / 4)


def test_normal_by_chi_square():
    normal = NormalDist()
    inside = normal.cdf(2) - normal.cdf(-2)
    r = Constant(1.0).jitter(0.4, seed=42, distribution="normal").rates(COUNT) - 1
    # Through a fine table of the distribution, which its draws make uniform again.
    grid = np.linspace(-2, 2, 4001)
    table = [(normal.cdf(z) - normal.cdf(-2)) / inside for z in grid]
    assert_uniform(np.interp(r / 0.2, grid, table))
    assert abs(r).max() <= 0.4
    # The variance of a normal cut off at two of its deviations: 1 - 4 φ(2) / inside.
    assert r.var() == pytest.approx(0.2**2 * (1 - 4 * normal.pdf(2) / inside), rel=0.005)


def test_log_uniform_jitter_is_symmetric_on_a_log_axis():
    factors = Constant(1.0).jitter(1.0, seed=42, distribution="log_uniform").rates(COUNT)
    assert_uniform((np.log2(factors) + 1) / 2)


def test_moments():
    u = draws(42)
    assert 0 <= u.min() < 1e-5 and 1 - 1e-5 < u.max() < 1
    assert abs(u.mean() - 0.5) * np.sqrt(12 * COUNT) < 3
    assert u.var() == pytest.approx(1 / 12, rel=0.005)


@pytest.mark.parametrize("lag", [1, 2, 3, 16, 1000])
def test_no_serial_correlation(lag):
    u = draws(42)
    assert abs(np.corrcoef(u[:-lag], u[lag:])[0, 1]) * np.sqrt(COUNT) < 3.5


def test_seeds_are_independent():
    # Neighbouring seeds too: they are hashed before they meet the step.
    u = np.array([draws(seed, 10**5) for seed in (*range(8), -1, 2**40)])
    correlations = np.corrcoef(u)[np.triu_indices(len(u), 1)]
    assert np.abs(correlations).max() * np.sqrt(10**5) < 3.5


def test_jitter_is_a_factor_of_its_own_draw():
    jitter = Jitter(LinearDecay(1.0, 100), 0.3, seed=42, every=2)
    r = 0.3 * (2 * draws(42, 200, every=2) - 1)
    np.testing.assert_allclose(jitter.rates(200), LinearDecay(1.0, 100).rates(200) * (1 + r))


def test_rates_stay_within_bounds():
    rates = RandomUniform(0.01, 0.1, seed=0).rates(COUNT)
    assert rates.min() >= 0.01 and rates.max() < 0.1
    rates = Constant(0.1).jitter(1.0, seed=0).rates(COUNT)
    assert rates.min() >= 0 and rates.max() <= 0.2
    np.testing.assert_array_equal(RandomUniform(0.1, 0.1).rates(5), 0.1)
    rates = RandomLogUniform(0.01, 0.1, seed=0).rates(COUNT)
    assert rates.min() >= 0.01 and rates.max() < 0.1
    np.testing.assert_allclose(RandomLogUniform(0.1, 0.1).rates(5), 0.1)


DISTRIBUTIONS = [
    RandomLogUniform(1e-5, 1.0, seed=3),
    *(Jitter(0.1, 0.5, seed=3, distribution=kind) for kind in ("normal", "log_uniform")),
]


@pytest.mark.parametrize("schedule", DISTRIBUTIONS, ids=repr)
@pytest.mark.parametrize("how", compiled.keys())
def test_rates_made_of_the_draws_agree_compiled(how, schedule):
    steps = np.arange(2000)
    actual = to_numpy(compiled[how](schedule)(ops.convert_to_tensor(steps, dtype="int32")))
    np.testing.assert_allclose(actual, schedule.rates(steps), rtol=2e-6)


@pytest.mark.parametrize("distribution", ["uniform", "normal", "log_uniform"])
def test_no_amplitude_no_noise(distribution):
    plain = LinearDecay(0.1, 50)
    noisy = plain.jitter(0.0, distribution=distribution)
    np.testing.assert_array_equal(noisy.rates(60), plain.rates(60))


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: RandomUniform(0.2, 0.1), "`maximum` must be >= minimum = 0.2. Received: maximum="),
        (lambda: RandomUniform(-0.1, 0.1), "`minimum` must be a finite number >= 0. Received"),
        (lambda: RandomUniform(0.1, 0.2, every=0), "`every` must be .* > 0.*Received: every=0"),
        (lambda: RandomUniform(0.1, 0.2, seed=0.5), "`seed` must be an integer. Received: seed="),
        (lambda: RandomUniform(0.1, 0.2, seed=None), "`seed` must be an integer. Received: seed="),
        (lambda: RandomLogUniform(0.0, 0.1), "`minimum` must be > 0. Received: minimum=0.0"),
        (lambda: RandomLogUniform(0.2, 0.1), "`maximum` must be >= minimum = 0.2. Received"),
        (lambda: Jitter(0.1, 1.5), "`amplitude` must be .*<= 1. Received: amplitude=1.5"),
        (lambda: Jitter(0.1, -0.1), "`amplitude` must be .*>= 0 .*Received: amplitude=-0.1"),
        (lambda: Jitter("0.1", 0.1), "`schedule` must be a schedule, .*Received: schedule='0.1'"),
        (lambda: Jitter(0.1, 0.1, distribution="cauchy"), "`distribution` must be one of 'uniform"),
    ],
)
def test_bad_arguments(build, says):
    with pytest.raises(ValueError, match=says):
        build()
