"""`verify=`: which rates are tried, and which of them is taken."""

import numpy as np
import pytest
from support.sweeps import quadratic

from keras_lr.finder.result import RangeTest
from keras_lr.finder.verification import (
    lowest_of_the_best,
    next_rate,
    planned_schedule,
    verified,
)


def test_the_search_of_rates_finds_the_best_of_a_parabola():
    scores, best = {}, 0.7
    for _ in range(6):
        rate = next_rate(0.01, scores)
        assert rate not in scores
        scores[rate] = np.log(rate / best) ** 2
    assert abs(np.log(min(scores, key=scores.get) / best)) < np.log(2.0)


def test_the_search_goes_down_from_rates_that_diverge():
    scores = {}
    for _ in range(4):
        rate = next_rate(1.0, scores)
        scores[rate] = 1.0 if rate < 0.05 else np.inf
    assert min(scores) < 0.05


def scripted(best, breaks_at=np.inf):
    """Runs whose loss has its lowest at `best`, all with the same noise, as the same batches do."""

    def run(rates, rule):
        noise = np.random.default_rng(0).normal(size=50)
        losses = 2.0 + 0.1 * np.log(rates[0] / best) ** 2 + noise
        losses[0] = 5.0
        losses[20:] += np.inf if rates[0] >= breaks_at else 0.0
        return np.arange(50), losses

    return run


@pytest.mark.parametrize("best, chosen", [(1.0, 1.0), (3.0, 3.0), (1 / 3, 1 / 3), (30.0, 9.0)])
def test_verification_takes_the_best_run_below_the_noise_of_single_batches(best, chosen):
    curve = quadratic(1.0)
    found = RangeTest.of(curve, [curve])
    shape = planned_schedule(None, 50)
    run = scripted(best * found.suggestion)
    told = verified(found, run, shape, 3, 50)
    assert told.suggestion == pytest.approx(chosen * found.suggestion)
    assert len(told.evidence) == 3 and told.suggestions == found.suggestions


def test_verification_takes_the_lower_of_two_rates_that_are_as_good():
    curve = quadratic(1.0)
    found, shape = RangeTest.of(curve, [curve]), planned_schedule(None, 50)
    # Between the first rate and three times it, a little nearer to the higher one.
    run = scripted(1.8 * found.suggestion)
    told = verified(found, run, shape, 2, 50)
    scores = dict(told.evidence)
    assert min(scores, key=scores.get) == pytest.approx(3 * found.suggestion)
    assert told.suggestion == pytest.approx(found.suggestion)


@pytest.mark.parametrize("initial", [np.nan, np.inf, 0.5])
def test_of_runs_that_did_not_fall_the_best_is_taken(initial):
    assert lowest_of_the_best({0.1: 1.2, 0.3: 1.0, 0.9: np.inf}, initial) == 0.3


def test_verification_of_runs_that_all_break_has_no_suggestion():
    curve = quadratic(1.0)
    found, shape = RangeTest.of(curve, [curve]), planned_schedule(None, 50)
    run = scripted(1.0, breaks_at=0.0)
    told = verified(found, run, shape, 2, 50)
    assert told.suggestion is None and told.evidence[0][1] == np.inf
