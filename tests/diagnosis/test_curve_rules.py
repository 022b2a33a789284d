"""The findings about a run: each is found where it is, and not in a run that lacks just that."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.run_curves import NEGATIVE, POINTS, POSITIVE, decay, noisy, stepped, with_at

from keras_lr.diagnosis import curve_rules
from keras_lr.diagnosis.run_curves import RunCurves


def names(curves):
    return [finding.name for finding in curve_rules.find(curves)]


def found(name, curves):
    return next(finding for finding in curve_rules.find(curves) if finding.name == name)


@pytest.mark.parametrize("name", POSITIVE)
def test_is_found_where_it_is(name):
    assert name in names(POSITIVE[name])


@pytest.mark.parametrize("name", NEGATIVE)
def test_is_not_found_where_it_is_not(name):
    assert name not in names(NEGATIVE[name])


def test_every_rule_has_both_examples():
    assert POSITIVE.keys() == NEGATIVE.keys()
    assert len(POSITIVE) == len(curve_rules.OF_NUMBERS + curve_rules.OF_CURVES)


@pytest.mark.parametrize("name", POSITIVE)
def test_says_what_it_means_on_what_evidence_and_what_to_do(name):
    finding = found(name, POSITIVE[name])
    assert finding.evidence and finding.meaning.endswith(".") and finding.advice.endswith(".")
    assert json.loads(json.dumps(finding.to_dict(), allow_nan=False)) == finding.to_dict()


@pytest.mark.parametrize("name", POSITIVE)
@pytest.mark.parametrize("scale, shift", [(0.01, 0.0), (100.0, 0.0), (1.0, -50.0)])
def test_scale_and_shift_of_losses_change_nothing(name, scale, shift):
    if name == "not a loss":
        # Here it is the values themselves that give it away.
        return
    curves = POSITIVE[name]
    val = None if curves.val_loss is None else scale * curves.val_loss + shift
    moved = curves._replace(loss=scale * curves.loss + shift, val_loss=val)
    assert names(moved) == names(curves)


@given(
    scale=st.floats(0.5, 6.0),
    height=st.floats(0.1, 1e4),
    noise=st.floats(0.0, 0.002),
    seed=st.integers(0, 10**6),
    count=st.integers(30, 300),
)
@settings(max_examples=60, deadline=None)
def test_a_quiet_fall_that_levels_off_has_converged_and_nothing_else(
    scale, height, noise, seed, count
):
    points = np.arange(float(count))
    losses = height * noisy(1.0 + np.exp(-points / scale), noise, seed)
    assert names(RunCurves(losses, losses + height)) == ["converged"]


@given(st.integers(20, 200), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_noise_alone_has_no_errors_and_no_gain(count, seed):
    seen = set(names(RunCurves(noisy(np.zeros(count), 1.0, seed))))
    assert seen <= {"noise hides it", "rising", "oscillating", "spike"}


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), max_size=60),
    st.sampled_from(["epoch", "update"]),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_numbers_at_all_give_findings_and_no_error(losses, unit, as_val):
    losses = np.array(losses, float)
    with np.errstate(all="ignore"):
        curves = RunCurves(losses, losses[::-1] if as_val else None, np.abs(losses), None, unit)
        for finding in curve_rules.find(curves):
            assert finding.meaning


def test_the_first_bad_epoch_is_named():
    finding = found("nan", POSITIVE["nan"])
    assert finding.evidence["epoch"] == 12 and finding.evidence["how many"] == 29
    val = found("nan", RunCurves(decay(), with_at(decay(), 7, math.inf)))
    assert val.evidence["epoch"] == 8 and "val_loss" in val.meaning
    at_once = found("nan", RunCurves(np.full(5, np.nan)))
    assert at_once.evidence["epoch"] == 1 and "data" in at_once.advice


def test_a_validation_that_was_not_made_is_not_nan():
    assert "nan" not in names(RunCurves(decay(), with_at(decay(), slice(0, None, 2), np.nan)))


def test_places_are_where_it_happened():
    assert found("spike", POSITIVE["spike"]).evidence["worst at epoch"] == 26
    assert found("spike", POSITIVE["spike"]).evidence["back after"] == 1
    best = int(np.argmin(POSITIVE["overfitting"].val_loss)) + 1
    assert abs(found("overfitting", POSITIVE["overfitting"]).evidence["best at epoch"] - best) <= 1
    assert found("cut too late", POSITIVE["cut too late"]).evidence["cut at epoch"] == 36
    assert found("schedule exhausted", POSITIVE["schedule exhausted"]).evidence["from"] == 21
    assert found("rate at its floor", POSITIVE["rate at its floor"]).evidence["from"] == 21


def test_a_cut_that_helped_late_is_not_told_twice():
    assert "improved after a cut" not in names(POSITIVE["cut too late"])


def test_a_spike_where_the_rate_rose_is_the_rates():
    rate = stepped((0.1, 25), (1.0, 15))
    finding = found("spike", POSITIVE["spike"]._replace(rate=rate))
    assert finding.evidence["rate rose by"] == pytest.approx(10.0) and "rise" in finding.advice


def test_overfitting_is_not_answered_with_longer_training():
    val = decay(4, 0.5, 0.5) + 0.02 * POINTS
    assert "still falling" not in names(RunCurves(decay(scale=25.0), val))


def test_a_loss_that_ends_above_the_one_before_training_is_seen_with_it_only():
    losses = noisy(np.concatenate([[4.1, 2.8], np.full(18, 2.34)]), 0.01)
    assert "rising" in names(RunCurves(losses, initial=2.23))
    assert "rising" not in names(RunCurves(losses))


def test_a_million_updates_are_read_in_parts():
    losses = noisy(decay(1.5e5, points=np.arange(1e6)), 0.3)
    assert names(RunCurves(losses, rate=np.full(10**6, 0.1), unit="update")) == ["converged"]
