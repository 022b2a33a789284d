"""What the range test reads off a curve: its status, the rules, the default suggestion."""

import dataclasses

import numpy as np
import pytest
from support.sweeps import quadratic

from keras_lr.diagnosis.statistics import smooth
from keras_lr.finder.curve import Curve, mean_curve
from keras_lr.finder.result import RangeTest
from keras_lr.finder.rules import NAMES, fallen, suggestions, valley
from keras_lr.finder.stopping import AfterDivergence


@pytest.mark.parametrize("seed", range(20))
def test_the_default_suggestion_on_noisy_quadratics(seed):
    curvature = 10.0 ** np.random.default_rng(seed).uniform(-2, 2)
    curve = quadratic(curvature, noise=0.15, seed=seed)
    found = RangeTest.of(curve, [curve])
    assert found.status == "ok"
    assert 0.05 / curvature < found.suggestion < 2.0 / curvature


def test_a_loss_that_is_shifted_below_zero_gives_the_same_suggestion():
    plain, shifted = quadratic(1.0), quadratic(1.0, offset=-1000.0)
    assert len(plain.losses) == len(shifted.losses)
    for name in NAMES:
        one, other = (suggestions(curve)[name] for curve in (plain, shifted))
        assert (one is None) == (other is None)
        assert one is None or one == pytest.approx(other, rel=1e-6)


def test_the_mean_has_no_bias_at_the_beginning():
    losses = np.random.default_rng(0).normal(5.0, 0.1, size=50)
    weights = 0.9 ** np.arange(50)[::-1]
    expected = [np.sum(weights[-i:] * losses[:i]) / np.sum(weights[-i:]) for i in range(1, 51)]
    np.testing.assert_allclose(smooth(losses, 0.9), expected, rtol=1e-12)


def longest_falling(losses):
    """Returns the length of the longest falling subsequence, by trying all of them."""
    best = 0
    for mask in range(1 << len(losses)):
        chosen = [x for i, x in enumerate(losses) if mask >> i & 1]
        if all(b < a for a, b in zip(chosen, chosen[1:])):
            best = max(best, len(chosen))
    return best


@pytest.mark.parametrize("seed", range(8))
def test_the_valley_lies_in_a_longest_falling_subsequence(seed):
    losses = np.random.default_rng(seed).normal(size=13)
    losses[0] = 10.0
    rates = np.geomspace(1e-3, 1.0, 13)
    padded_rates = np.concatenate([rates, 2.0 + np.arange(5)])
    found = valley(padded_rates, np.concatenate([losses, np.full(5, 9.0)]))
    inner = losses[1:]
    behind = np.flatnonzero(inner < inner[0] - 0.01 * (inner[0] - inner.min()))
    begin = behind[0] if len(behind) else len(inner)
    inner = inner[begin:]
    length = longest_falling(inner)
    if length < 3:
        assert found is None
        return
    place, at = length // 3 + length // 6, int(np.flatnonzero(rates[1 + begin :] == found)[0])
    before = max(longest_falling([x for x in inner[:at] if x > inner[at]]), 0)
    after = longest_falling([x for x in inner[at + 1 :] if x < inner[at]])
    assert before >= place and before + 1 + after == length


@pytest.mark.parametrize(
    "losses, status",
    [
        (np.full(100, 2.0), "never fell"),
        (2.0 + 0.1 * np.random.default_rng(3).normal(size=100), "never fell"),
        (np.maximum(np.linspace(2.0, 0.0, 100), 1.0), "ok"),
        (np.linspace(2.0, 1.0, 100), "still falling"),
        (np.linspace(2.0, 1.0, 7), "too few points"),
        (np.array([]), "too few points"),
        (np.r_[np.full(50, 2.0), np.linspace(2, 1, 30), np.linspace(1, 9, 20)], "ok"),
    ],
    ids=["flat", "noise", "level", "falling", "few", "none", "valley"],
)
def test_the_status_says_what_was_seen(losses, status):
    curve = Curve(np.geomspace(1e-7, 100, len(losses)) if len(losses) else losses, losses, 10)
    found = RangeTest.of(curve, [curve])
    assert found.status == status
    assert (found.suggestion is not None) == (status == "ok")
    assert found.advice.startswith("The") and tuple(found.suggestions) == NAMES


def valley_shaped(count=161, offset=0.0, unit=1.0, rise=5.0):
    """Returns rates and losses: flat, down by 1 over two decades to 0.01, flat, and up again."""
    decades = np.linspace(-7, 1, count)
    losses = np.interp(decades, [-4, -2, -0.5, 1], [2.0, 1.0, 1.0, 1.0 + rise])
    return 10.0**decades, offset + unit * losses


def read_off(curve):
    """Returns what the default rule read, before it allowed for steps, momentum and a rise."""
    curve = dataclasses.replace(curve, cut_short=False)
    kernel = 0.1 * 0.9 ** np.arange(2000) if curve.momentum == 0.9 else np.ones(1)
    growth = np.mean(np.diff(np.log(curve.rates)))
    late = np.sum(kernel * np.exp(-growth * np.arange(len(kernel))))
    return fallen(curve) * np.sqrt(growth) / late


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("count", [81, 161, 801])
def test_the_default_rule_reads_the_rate_where_most_of_the_fall_is_behind(count, momentum):
    # 95 % of two decades; the window rounds the corner and moves it a little.
    curve = Curve(*valley_shaped(count), head=count // 10, momentum=momentum)
    assert np.log10(read_off(curve)) == pytest.approx(-2.1, abs=0.15)


@pytest.mark.parametrize(
    "options", [{"offset": -1000.0}, {"unit": 1e-3}, {"rise": 1e6}, {"count": 801}], ids=str
)
def test_the_default_rule_knows_neither_the_unit_nor_the_number_of_points_nor_the_rise(options):
    plain, other = (
        read_off(Curve(rates, losses, head=len(rates) // 10))
        for rates, losses in (valley_shaped(), valley_shaped(**options))
    )
    assert other == pytest.approx(plain, rel=0.02)


def regression(count, momentum, seed):
    """Returns the sweep of noisy gradient descent on a quadratic, its curvatures 0.01 to 1."""
    rng, curvatures = np.random.default_rng(seed), np.geomspace(0.01, 1.0, 20)
    weights, velocity, losses = np.ones(20), np.zeros(20), []
    rates = 1e-7 * 1e9 ** (np.arange(2 * count) / (count - 1))
    rule = AfterDivergence(count, count // 10, 0.85)
    for rate in rates:
        losses.append(np.mean(curvatures * weights**2) + rng.normal(scale=0.02))
        if rule.add(losses[-1]):
            break
        gradient = curvatures * weights + rng.normal(scale=0.03, size=20)
        velocity = momentum * velocity - rate * gradient
        weights = weights + velocity
    rates = rates[: len(losses)]
    return Curve(rates, np.array(losses), count // 10, 0.85, rule.diverged, momentum)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_three_times_the_updates_give_much_the_same_suggestion(momentum):
    short, long = ([regression(count, momentum, seed) for seed in range(5)] for count in (100, 300))
    # What is read differs by more, half of which is left where only the way to go limits the fall.
    assert np.median([read_off(c) for c in short]) > 2 * np.median([read_off(c) for c in long])
    assert (
        1 / 1.7 < np.median([fallen(c) for c in short]) / np.median([fallen(c) for c in long]) < 1.7
    )


def test_the_default_rule_keeps_below_the_rate_at_which_the_loss_rose():
    rates, losses = valley_shaped()
    end = int(np.argmax(rates > 0.012))
    curves = [Curve(rates[:end], losses[:end], 10, cut_short=cut) for cut in (True, False)]
    at, free = map(fallen, curves)
    # The running mean is 1/0.15 = 6.7 updates late, of a twentieth of a decade each.
    assert curves[0].rise == pytest.approx(rates[end - 1] / 10 ** (1 / 3))
    assert at == pytest.approx(0.35 * curves[0].rise) and at < free
    assert Curve(rates[:end:9], losses[:end:9], 3, cut_short=True).rise == rates[:end:9][-1] / 4


def test_the_default_rule_is_steady_on_noisy_losses():
    rates, losses = valley_shaped(81)
    noise = np.random.default_rng(0).normal(scale=0.25, size=(100, 81))
    at = [np.log10(read_off(Curve(rates, losses + row, head=10))) for row in noise]
    assert abs(np.mean(at) + 2.1) < 0.4 and np.std(at) < 0.35


def test_repeats_that_fall_only_together_have_a_suggestion():
    rates, losses = valley_shaped(81)
    noise = np.random.default_rng(1).normal(scale=1.0, size=(9, 81))
    noise -= noise.mean(axis=0)
    repeats = [Curve(rates, losses + row, 8) for row in noise]
    repeats = [curve for curve in repeats if curve.seen() == "never fell"]
    assert len(repeats) > 2
    found = RangeTest.of(Curve(rates, losses, 8), repeats)
    assert found.suggestion == found.suggestions["fallen"] and found.interval is None


def test_few_updates_that_diverge_late_are_too_few():
    losses = np.array([2.5, 2.5, 2.4, 2.4, 2.3, 2.2, 2.4, 3.5])
    curve = Curve(np.geomspace(1e-7, 1.0, 8), losses, 3, cut_short=True)
    assert RangeTest.of(curve, [curve]).status == "too few points"


def test_repeats_that_fall_one_by_one_have_a_suggestion_where_their_mean_is_drowned_by_one():
    curves = [quadratic(1.0, noise=0.02, seed=seed, offset=1.0) for seed in range(3)]
    noise = np.random.default_rng(0).normal(scale=300.0, size=len(curves[-1].losses))
    curves[-1] = dataclasses.replace(curves[-1], losses=curves[-1].losses + noise)
    mean = mean_curve(curves)
    assert mean.seen() == "only rose"
    found = RangeTest.of(mean, curves)
    alone = [RangeTest.of(curve, [curve]).suggestion for curve in curves[:2]]
    assert found.status == "ok" and found.suggestion == min(alone)
    # What the rules of others would read off the mean is noise.
    assert found.suggestions["minimum"] is None
