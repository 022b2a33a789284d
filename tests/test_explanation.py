"""`diagnose`: verdict, findings and numbers together, whatever the losses are measured in."""

import dataclasses
import json
import math

import numpy as np
import pytest
from support.run_curves import POINTS, POSITIVE, decay, noisy

from keras_lr import Diagnosis, diagnose
from keras_lr.diagnosis.experiment import Experiment

RUNS = {
    "falls slowly": decay(200.0, 0.0, 2.0),
    "converges": noisy(decay(4.0), 0.001),
    "swings": decay(floor=0.5) + 0.4 * (-1.0) ** POINTS,
    "explodes": 2.0 + np.exp(POINTS / 4),
}


@pytest.mark.parametrize("losses", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("scale, shift", [(0.01, 0.0), (100.0, 0.0), (1.0, -30.0)])
def test_scale_and_sign_do_not_matter(losses, scale, shift):
    for curves in ({"loss": losses}, {"loss": losses, "val_loss": losses[::-1]}):
        moved = {name: scale * values + shift for name, values in curves.items()}
        found, expected = diagnose(moved), diagnose(curves)
        assert found.verdict == expected.verdict
        assert [f.name for f in found.findings] == [f.name for f in expected.findings]
        for word, chance in expected.probabilities.items():
            assert found.probabilities[word] == pytest.approx(chance, abs=1e-6)


@pytest.mark.parametrize(
    "history",
    [[2.0], [2.0, 1.0], decay()[:4], [2.3] * 30, 0.95 - 0.85 * np.exp(-POINTS / 5)],
    ids=["one epoch", "two", "four", "constant", "an accuracy"],
)
def test_too_little_to_say(history):
    found = diagnose(history)
    assert found.verdict == "undetermined" and found.factor is None
    assert "experiment" in found.advice


@pytest.mark.parametrize("history", [[math.nan] * 9, [2.0, math.inf], [2.0, 1.0, math.nan]])
def test_no_number_at_the_end_is_divergence(history):
    found = diagnose(history)
    assert found.verdict == "diverged" and found.findings[0].name == "nan"
    assert found.factor == 0.1


def test_the_advice_has_the_direction_of_the_verdict():
    diagnoses = [diagnose(losses) for losses in (*RUNS.values(), [2.0, 9.0, math.nan])]
    factors = {found.verdict: found.factor for found in diagnoses}
    assert factors["too small"] > 1.0 > factors["diverged"]


@pytest.mark.parametrize("name", POSITIVE)
def test_report_has_all_and_fits_a_terminal(name):
    found = diagnose(POSITIVE[name])
    report = found.report()
    assert str(found) == report and found.verdict in report.splitlines()[0]
    assert name in report and max(map(len, report.splitlines())) <= 160


@pytest.mark.parametrize("other", ["too small", "too large"])
def test_a_likelier_verdict_than_the_one_that_is_given_is_named(other):
    chances = dict.fromkeys(("too small", "good", "too large", "diverged"), 0.1)
    found = dataclasses.replace(diagnose(RUNS["converges"]), verdict="good")
    sure = dataclasses.replace(found, probabilities=chances | {"good": 0.7})
    assert sure.perhaps is None and "perhaps" not in sure.report()
    unsure = dataclasses.replace(found, probabilities=chances | {"good": 0.2, other: 0.6})
    assert unsure.perhaps == other
    first, advice = unsure.report().splitlines()[:2]
    assert first.startswith(f"The learning rate: good, perhaps {other}. No rate is seen")
    assert advice.startswith("  → Leave the rate as it is. If one more run costs little: try about")
    silent = dataclasses.replace(unsure, verdict="undetermined")
    assert silent.perhaps is None


def test_dictionary_is_json_whatever_the_losses(tmp_path):
    found = diagnose({"loss": [2.0, 1.0, math.inf], "lr": [0.1, 0.1, 0.1]}, initial=2.5)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["verdict"] == "diverged" and told["findings"][0]["name"] == "nan"
    assert told["evidence"]["initial loss"] == 2.5 and told["evidence"]["last loss"] is None
    assert told["evidence"]["peak rate"] == 0.1
    assert sum(told["probabilities"].values()) == pytest.approx(1.0)


def test_a_diagnosis_cannot_be_changed():
    found = diagnose([2.0, 1.0])
    assert isinstance(found, Diagnosis)
    with pytest.raises(AttributeError, match="verdict"):
        found.verdict = "good"


def test_a_copy_that_breaks_where_the_run_did_not_settles_nothing():
    scores = dict.fromkeys((1 / 3, 1.0, 3.0), math.inf)
    tried = Experiment(0.01, None, scores, 2.0, 100, 400, True)
    small = diagnose({"loss": np.linspace(2.0, 1.0, 12), "val_loss": np.linspace(2.0, 1.1, 12)})
    assert small.verdict == "too small"
    assert small.with_experiment(tried).verdict == "undetermined"
    # With a run that broke too, and where only a higher rate breaks, it does.
    broken = diagnose({"loss": [2.3, 1.1, 3.0, 9.5, 80.0, math.nan, math.nan]})
    assert broken.with_experiment(tried).verdict == "diverged"
    higher = tried._replace(scores={1 / 3: 1.9, 1.0: 1.5, 3.0: math.inf})
    assert small.with_experiment(higher).verdict != "undetermined"
