"""Short runs: which rates are tried, how they are scored, and which of them is taken."""

import numpy as np
import pytest
from support.sweeps import quadratic

from keras_lr.finder.result import RangeTest
from keras_lr.finder.verification import (
    Runs,
    best_rate,
    next_rate,
    planned_schedule,
    verified,
)
from keras_lr.schedules import LinearDecay


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


@pytest.mark.parametrize("level", [0.693, -5.0])
def test_the_search_goes_far_down_where_all_rates_do_as_well_as_one_another(level):
    alike = {0.1: level, 0.3: level * 1.001, 0.9: level * 0.999}
    assert next_rate(0.1, alike) == pytest.approx(0.01)
    # One of them does better by more than that: on beside it.
    assert next_rate(0.1, {**alike, 0.9: level - 0.1 * abs(level)}) == pytest.approx(2.7)


def test_the_search_goes_up_where_nothing_has_been_learnt():
    for level in (0.693, -5.0):
        alike = {0.1: level, 0.3: level * 1.001, 0.9: level * 0.999}
        assert next_rate(0.1, alike, before=level) == pytest.approx(2.7)
        # One of them is too high: on between it and the highest that is not.
        spoilt = {**alike, 0.9: level + abs(level)}
        assert next_rate(0.1, spoilt, before=level) == pytest.approx(0.3 * 3**0.5)
        broken = {**alike, 0.9: np.inf}
        assert next_rate(0.1, broken, before=level) == pytest.approx(0.3 * 3**0.5)
        # Killed networks do better than none; and one that has learnt is followed as ever.
        assert next_rate(0.1, alike, before=level + 100.0) == pytest.approx(0.01)
        learnt = {**alike, 0.1: level - 0.1 * abs(level)}
        assert next_rate(0.1, learnt, before=level) == pytest.approx(0.1 / 3)


def test_of_runs_that_have_learnt_nothing_the_highest_that_spoilt_nothing_is_taken():
    scores = {0.1: 2.3, 0.3: 2.301, 0.9: 2.32, 2.7: 2.6, 8.1: np.inf}
    assert best_rate(scores, before=2.3) == 0.9
    # With a better one among them, that.
    assert best_rate({**scores, 0.3: 2.0}, before=2.3) == 0.3
    assert best_rate({0.1: np.inf}, before=2.3) is None
    # What the loss was before is not known.
    assert best_rate(scores, before=np.nan) == 0.1


class Scripted:
    """Trials whose loss has its lowest at `best`, all with the same noise, as the same batches do.

    They break from a rate on; `validation` is the loss of the weights of a run on other data.
    """

    def __init__(self, best, breaks_at=np.inf, validation=None):
        self.best, self.breaks_at, self.validation = best, breaks_at, validation
        self.tried, self.seeds, self.evaluated = [], [], []

    def run(self, rates, rule, seed, show=None):
        self.tried.append(rates)
        self.seeds.append(seed)
        noise = np.random.default_rng(0).normal(size=50)
        losses = 2.0 + 0.1 * np.log(rates[0] / self.best) ** 2 + noise
        losses[0] = 5.0
        losses[20:] += np.inf if rates[0] >= self.breaks_at else 0.0
        seen = next((i + 1 for i, loss in enumerate(losses) if rule.add(loss)), 50)
        return np.arange(seen), losses[:seen]

    def reset(self, seed):
        self.tried.append([0.0])

    def evaluate(self, arguments):
        self.evaluated.append(arguments)
        return self.validation(self.tried[-1][0])


def runs(trials, evaluation=None):
    return Runs(trials, planned_schedule(None, 50), 50, 3, evaluation)


@pytest.mark.parametrize("best, chosen", [(1.0, 1.0), (3.0, 3.0), (1 / 3, 1 / 3), (30.0, 9.0)])
def test_verification_takes_the_best_run_below_the_noise_of_single_batches(best, chosen):
    curve = quadratic(1.0, offset=10.0)
    found = RangeTest.of(curve, [curve], 100)
    trials = Scripted(best * found.suggestion)
    told = verified(found, runs(trials), 3)
    assert told.suggestion == pytest.approx(chosen * found.suggestion)
    assert len(told.evidence) == 3 and told.suggestions == found.suggestions
    assert found.total_steps == 100 and told.total_steps == 50
    # Each run is the schedule at a peak, over the same batches.
    for rates, peak in zip(trials.tried, [rates[0] for rates in trials.tried]):
        np.testing.assert_allclose(rates, peak * (1 - np.arange(50) / 50))
    assert trials.seeds == [3, 3, 3] and not trials.evaluated


def test_verification_takes_the_lower_of_two_rates_that_are_as_good():
    curve = quadratic(1.0, offset=10.0)
    found = RangeTest.of(curve, [curve])
    # Between the first rate and three times it, a little nearer to the higher one.
    told = verified(found, runs(Scripted(1.8 * found.suggestion)), 3)
    scores = dict(told.evidence)
    assert min(scores, key=scores.get) == pytest.approx(3 * found.suggestion)
    assert told.suggestion == pytest.approx(found.suggestion)


def test_validation_data_judge_the_end_of_a_run():
    curve = quadratic(1.0, offset=10.0)
    found = RangeTest.of(curve, [curve])
    # On its own losses the first rate would be the best, on the others a third of it.
    low = found.suggestion / 3.0

    def loss(rate):
        return np.log(rate / low) ** 2 if rate else 10.0

    trials = Scripted(found.suggestion, validation=loss)
    told = verified(found, runs(trials, {"x": 1}), 3)
    assert told.suggestion == pytest.approx(low)
    # Of three runs, and of none.
    assert trials.evaluated == [{"x": 1}] * 4
    assert dict(told.evidence)[told.suggestion] == pytest.approx(0.0, abs=1e-12)


def test_a_run_that_broke_or_is_no_number_on_validation_data_scores_infinity():
    trials = Scripted(1.0, breaks_at=1.0, validation=lambda rate: np.nan if rate > 0.5 else 2.0)
    judged = runs(trials, {"x": 1})
    assert [judged.score(rate) for rate in (2.0, 0.7, 0.1)] == [np.inf, np.inf, 2.0]
    # What broke is not evaluated.
    assert len(trials.evaluated) == 2


def test_data_whose_loss_is_no_number_before_training_judge_nothing():
    curve = quadratic(1.0, offset=10.0)
    found = RangeTest.of(curve, [curve])
    trials = Scripted(1.0, validation=lambda rate: np.nan)
    with pytest.raises(ValueError, match="loss on these must be a number.*Received: loss = nan"):
        verified(found, runs(trials, {"x": 1}), 3)


def test_of_runs_of_which_one_breaks_the_best_is_taken():
    assert best_rate({0.1: 1.2, 0.3: 1.0, 0.9: np.inf}) == 0.3


def test_as_good_is_a_part_of_what_separates_the_scores_and_not_of_their_size():
    for offset in (0.0, 1e4, -1e4):
        for middle, best in ((1.001, 0.3), (1.5, 0.9)):
            scores = {0.1: offset + 2.0, 0.3: offset + middle, 0.9: offset + 1.0}
            assert best_rate(scores) == best


def test_verification_of_runs_that_all_break_has_no_suggestion():
    curve = quadratic(1.0, offset=10.0)
    found = RangeTest.of(curve, [curve])
    told = verified(found, runs(Scripted(1.0, breaks_at=0.0)), 2)
    assert told.suggestion is None and told.evidence[0][1] == np.inf


def test_a_schedule_keeps_its_shape_over_any_length():
    shape = planned_schedule(LinearDecay(0.2, "100%", 0.1), 10)
    np.testing.assert_allclose(shape.rates(11), np.linspace(1.0, 0.5, 11), rtol=1e-12)
    with pytest.raises(ValueError, match="`schedule` must be a schedule with rates above 0"):
        planned_schedule(0.0, 10)
