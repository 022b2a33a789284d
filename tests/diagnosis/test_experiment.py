"""What runs at other rates say: the label by counterfactual, with odds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr.diagnosis.experiment import Experiment, by_runs, by_sweep, settled, together
from keras_lr.diagnosis.verdict import VERDICTS

FLAT = dict.fromkeys(VERDICTS, 0.25)
inf = math.inf


def likeliest(chances):
    assert sum(chances.values()) == pytest.approx(1.0)
    return max(chances, key=chances.get)


@pytest.mark.parametrize(
    "lower, own, higher, verdict",
    [
        (1.0, 0.5, 0.2, "too small"),
        (0.2, 0.5, 1.0, "too large"),
        (0.3, 0.2, 0.4, "good"),
        # A hundredth of the gain is chance.
        (0.21, 0.21, 0.2, "good"),
        (0.2, inf, inf, "diverged"),
        (0.2, 5.0, inf, "diverged"),
        (inf, inf, inf, "diverged"),
        (0.2, 1.99, 2.0, "too large"),
        # What normalises its batches may be better before its first update than after a few.
        (2.4, 2.2, 1.5, "too small"),
    ],
)
@pytest.mark.parametrize("scale, shift", [(1.0, 0.0), (100.0, -7.0)])
def test_runs(lower, own, higher, verdict, scale, shift):
    scores = {f: scale * s + shift for f, s in {1 / 3: lower, 1.0: own, 3.0: higher}.items()}
    assert likeliest(by_runs(scores, 2.0 * scale + shift)) == verdict


def test_runs_of_which_none_trains_say_nothing():
    assert by_runs({1 / 3: 2.0, 1.0: 2.0, 3.0: 2.0}, start=2.0) == FLAT


@pytest.mark.parametrize(
    "rate, suggestion, verdict",
    [(1e-4, 0.1, "too small"), (0.1, 0.1, "good"), (1.0, 0.1, "too large"), (90, 0.1, "diverged")],
)
def test_sweep(rate, suggestion, verdict):
    assert likeliest(by_sweep(rate, suggestion)) == verdict


def test_a_sweep_without_a_suggestion_says_nothing():
    assert by_sweep(0.1, None) == by_sweep(0.0, 0.1) == FLAT


@given(
    st.dictionaries(st.floats(0.001, 1000), st.floats(allow_nan=False), max_size=5),
    st.floats(allow_nan=False),
    st.floats(-1e9, 1e9),
)
def test_any_scores_give_probabilities(scores, own, start):
    likeliest(together(by_runs({**scores, 1.0: own}, start), by_sweep(1.0, 2.0)))


def test_clear_runs_count_more_than_curves_in_doubt():
    runs = by_runs({1 / 3: 1.0, 1.0: 0.5, 3.0: 0.2}, start=2.0)
    doubtful = {"too small": 0.1, "good": 0.3, "too large": 0.6, "diverged": 0.0}
    assert likeliest(together(runs, doubtful)) == "too small"
    # Runs that do as well as one another leave it to the curves.
    assert likeliest(together(FLAT, doubtful)) == "too large"


@pytest.mark.parametrize(
    "rate, likely, is_settled",
    [
        (1e-4, "too small", True),
        (10.0, "diverged", True),
        # The curves say the opposite, or the sweep says good, or nothing.
        (1e-4, "too large", False),
        (0.1, "good", False),
        (None, "too small", False),
    ],
)
def test_where_sweep_and_curves_agree_no_run_is_needed(rate, likely, is_settled):
    chances = {**dict.fromkeys(VERDICTS, 0.1), likely: 0.7}
    found = settled(rate or 1.0, 0.1 if rate else None, chances)
    assert (found is not None) == is_settled
    assert not is_settled or (likeliest(found) == likely and found[likely] > 0.8)


def test_lines_name_cost_rates_and_losses():
    told = Experiment(0.1, None, {1.0: 0.5, 3.0: inf}, 2.0, 100, 400, True)
    assert list(told.lines()) == [
        "400 updates on a fresh copy; the sweep: none, the run had 0.1",
        "100 updates at 1 × the rate: validation loss 0.5",
        "100 updates at 3 × the rate: broke",
    ]
    plain = told._replace(scores={}, start=None, length=0, updates=100)
    assert list(plain.lines())[1:] == ["that leaves no doubt: no run was made"]
    assert "training loss" in list(told._replace(has_validation=False).lines())[1]
