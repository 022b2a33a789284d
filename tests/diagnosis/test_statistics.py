"""Whether a sweep has fallen or risen by more than chance, and what it suggests then."""

import numpy as np
import pytest

from keras_lr.finder.curve import Curve, mean_curve
from keras_lr.finder.result import RangeTest
from keras_lr.finder.rules import NAMES
from keras_lr.finder.stopping import AfterDivergence

RATES = 1e-7 * 1e9 ** (np.arange(200) / 99)


@pytest.mark.parametrize("count", [40, 100, 300])
@pytest.mark.parametrize("kind", ["normal", "exponential", "lognormal", "standard_t"])
def test_noise_is_seldom_taken_for_a_fall(kind, count):
    options = {"df": 3} if kind == "standard_t" else {}
    noise = getattr(np.random.default_rng(0), kind)(size=(300, count), **options)
    rates = np.geomspace(1e-7, 100, count)
    fell = [Curve(rates, 2.0 + row, count // 10).seen() != "never fell" for row in noise]
    # By 1,500 draws each 0 to 3.3 %.
    assert np.mean(fell) < 0.05


def test_noise_with_a_long_tail_seldom_leaves_a_suggestion():
    suggested = []
    for row in np.random.default_rng(0).lognormal(size=(60, 200)):
        rule = AfterDivergence(100, 10, 0.85)
        end = next((i for i, loss in enumerate(row) if rule.add(loss)), 199) + 1
        curve = Curve(RATES[:end], row[:end], 10, cut_short=rule.diverged)
        suggested.append(RangeTest.of(curve, [curve]).suggestion is not None)
    assert np.mean(suggested) < 0.06


def test_a_fall_of_two_standard_deviations_is_seldom_overlooked():
    noise = np.random.default_rng(0).normal(size=(200, 80))
    falls = 2.0 * np.clip((np.arange(80) - 40) / 20, 0, 1)
    fell = [Curve(RATES[:80], row - falls, 10, cut_short=True).seen() == "ok" for row in noise]
    assert np.mean(fell) > 0.95


def test_a_fall_that_noise_hides_leaves_a_fifth_of_the_rate_at_which_the_loss_rose():
    rates = RATES[:100]
    losses = 2.0 + np.random.default_rng(0).normal(size=100) + np.maximum(np.arange(100) - 90, 0)
    curves = [Curve(rates, losses, 10, cut_short=cut) for cut in (True, False)]
    found, without = (RangeTest.of(curve, [curve]) for curve in curves)
    assert (found.status, without.status) == ("never fell", "never fell")
    assert "suggestion lies below the rate" in found.advice and "a higher end" in without.advice
    assert found.suggestion == found.suggestions["risen"] == pytest.approx(rates[-1] / 20, rel=0.03)
    assert [name for name in NAMES if found.suggestions[name]] == ["risen"]
    assert without.suggestion is None and not any(without.suggestions.values())


def test_one_stray_loss_at_the_end_is_no_rise():
    losses = np.random.default_rng(0).lognormal(0.0, 1.0, size=80)
    losses[-1] = losses.max() + 4.0
    assert Curve(RATES[:80], losses, 10, cut_short=True).seen() == "never fell"


def test_repeats_of_which_most_rose_have_a_suggestion():
    rng, repeats = np.random.default_rng(0), []
    for end in (70, 80, 90):
        losses = 2.0 + rng.normal(size=end)
        losses[-5:] += np.arange(3, 18, 3)
        repeats.append(Curve(RATES[:end], losses, 10, cut_short=True))
    assert [curve.seen() for curve in repeats] == ["only rose"] * 3
    found = RangeTest.of(mean_curve(repeats), repeats)
    assert found.status == "never fell"
    assert found.suggestion == pytest.approx(repeats[1].rise / 5)
    assert found.interval == pytest.approx((repeats[0].rise / 5, repeats[2].rise / 5))


def test_divergence_at_once_is_told_from_never_falling():
    losses = np.r_[2.0, 2.1, 4.0, np.geomspace(8, 1e6, 12)]
    curve = Curve(RATES[:15], losses, 10, cut_short=True)
    assert curve.seen() == "diverged at once"
