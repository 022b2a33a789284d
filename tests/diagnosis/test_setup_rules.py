"""Each rule of a set-up: what it finds, with its evidence, and plans in which it finds nothing."""

import dataclasses
import re

import pytest

from keras_lr.diagnosis import plan_rules, setup_rules
from keras_lr.diagnosis.findings import Finding, Findings
from keras_lr.diagnosis.plan import CallbackPlan, Plan, SchedulePlan

# A linear decay over 100 updates, in a fit of 100.
LINEAR = SchedulePlan(
    "The schedule of sgd", True, 0, 100, 100, 0.1, 0, 0.0, final=0.0, highest=0.1, last=0.001
)
# A warmup of 40, in a fit of 100.
WARMUP = SchedulePlan("Warmup()", False, 0, 100, 40, 1.0, 39, 0.025, 1.0, 1.0, 1.0, is_factor=True)
PLATEAU = CallbackPlan("Plateau", "Plateau()", 1, is_ours=True, monitor="val_loss", patience=5)
STOPPING = CallbackPlan("Stopping", "Stopping", 2, monitor="val_loss", patience=10, ends=True)
KERAS = CallbackPlan("KerasPlateau", "KerasPlateau", 3, writes_rate=True, monitor="val_loss")
STRANGER = CallbackPlan("Stranger", "Stranger", 4, adds_metrics=True)
SAVER = CallbackPlan("Backup", "Backup", 5, saves=True, is_backup=True)
SWAP = CallbackPlan("Swap", "Swap", 6, swaps_weights=True)
CUTTING = dataclasses.replace(PLATEAU, lower_limit=0.0)
METRICS = frozenset({"loss", "mae"})
change = dataclasses.replace


def schedules(*several):
    return Plan(schedules=several)


def linear(**facts):
    return schedules(change(LINEAR, **facts))


def listed(*callbacks, **facts):
    return Plan(callbacks, **facts)


# The plan, and what is found in it: severity, evidence, words.
FOUND = {
    "refused": (
        listed(change(PLATEAU, refusal="It needs a length.")),
        "error",
        {},
        r"Plateau\(\) cannot be in this fit. It needs a length.",
    ),
    "schedule counts batches": (
        linear(accumulation=4, end=400),
        "warning",
        {"accumulation": 4, "length": 100, "batches": 400},
        r"runs 4 times as fast .* batch 100 of 400.*stretch\(4\).hold\(4\)",
    ),
    "schedule ends early": (
        linear(begin=50, end=150),
        "warning",
        {"length": 100, "begin": 50, "end": 150, "final": 0.0},
        "ends at update 100, the fit at 150: its last 50, 50% .* counts 50 already",
    ),
    "schedule outlives the fit": (
        linear(length=200, last=0.05),
        "warning",
        {"length": 200, "end": 100, "last": 0.05, "final": 0.0},
        "the last rate would be 0.05, and never 0. .* If more fits follow",
    ),
    "warmup longer than the fit": (
        schedules(change(WARMUP, length=400, peak_at=399, highest=0.25, last=0.25, rises=True)),
        "warning",
        {"peak_at": 399, "end": 100, "highest": 0.25, "peak": 1.0},
        r"Warmup\(\) climbs until update 399, and the fit ends at 100",
    ),
    "schedule begins anew": (
        linear(due=50.0, length=200, last=0.05),
        "warning",
        {"begin": 0, "due": 50.0},
        "begins at update 0, .* before this fit were 50. Call keras_lr.resume_at",
    ),
    "flat schedule": (
        linear(lowest=0.1, final=0.1, last=0.1),
        "note",
        {"length": 100, "rate": 0.1},
        "takes 100 updates from 0.1 to the same rate",
    ),
    "stopped before a cut": (
        listed(PLATEAU, change(STOPPING, patience=5)),
        "warning",
        {"cut": 5, "end": 5},
        r"after 5 epochs .* and Plateau\(\) waits for 5: it never makes a cut",
    ),
    "two writers": (
        listed(KERAS, change(KERAS, kind="KerasScheduler")),
        "warning",
        {"callbacks": 2},
        "Keras' KerasPlateau and KerasScheduler both write",
    ),
    "no such metric": (
        listed(change(PLATEAU, monitor="val_acc"), metrics=METRICS, validates=True),
        "error",
        {"metrics": ["loss", "mae"], "validates": True},
        r"Plateau\(\) monitors 'val_acc', .* no metric has that name",
    ),
    "saved too early": (
        listed(SAVER, CUTTING),
        "warning",
        {"saver": 0, "callback": 1},
        r"Backup saves an epoch before Plateau\(\) decides on it",
    ),
    "restored into averages": (
        listed(SWAP, change(PLATEAU, restores_weights=True)),
        "warning",
        {"swapped": 0, "restored": 1},
        r"List Plateau before Swap\.",
    ),
    "search longer than the fit": (
        listed(change(PLATEAU, searches=50), total_steps=80),
        "note",
        {"searched": 50, "updates": 80},
        "Plateau searches with 50 updates for a fit of 80",
    ),
}
NOT_FOUND = {
    "refused": [listed(PLATEAU)],
    "schedule counts batches": [
        linear(accumulation=4),
        linear(accumulation=4, end=None),
        linear(accumulation=4, length=400, end=400, is_held=True),
    ],
    "schedule ends early": [
        linear(),
        linear(end=104),
        linear(end=None),
        linear(end=200, final=0.01),
        # That is for the rule of exhausted schedules.
        linear(begin=100, end=200),
        schedules(WARMUP),
    ],
    "schedule outlives the fit": [
        linear(length=108, last=0.008),
        linear(length=200, last=0.05, spans_fits=True),
        linear(length=200, last=0.05, end=None),
        # A floor of half the last rate is no long way.
        linear(length=120, last=0.02, final=0.013),
    ],
    "warmup longer than the fit": [
        schedules(WARMUP),
        # A rising test of rates, which gets to its end.
        linear(peak=1.0, peak_at=100, highest=0.99, last=0.99, final=1.0, rises=True),
        schedules(change(WARMUP, length=400, peak_at=399, highest=0.25, rises=True, end=None)),
    ],
    "schedule begins anew": [linear(due=0.0), linear(begin=50, due=50.0), schedules(WARMUP)],
    "flat schedule": [linear(), linear(length=0, lowest=0.1, final=0.1, last=0.1)],
    "stopped before a cut": [
        listed(PLATEAU, STOPPING),
        listed(PLATEAU, change(STOPPING, patience=2, monitor="val_mae")),
        listed(PLATEAU, change(STOPPING, patience=4, start=10)),
    ],
    "two writers": [listed(KERAS), listed(KERAS, change(PLATEAU, writes_rate=False))],
    "no such metric": [
        listed(PLATEAU, metrics=METRICS, validates=True),
        listed(PLATEAU, metrics=METRICS),
        listed(change(PLATEAU, monitor="val_acc"), validates=True),
        listed(STRANGER, change(PLATEAU, monitor="score"), metrics=METRICS, validates=True),
        listed(change(PLATEAU, monitor="learning_rate"), metrics=METRICS),
    ],
    "saved too early": [
        listed(CUTTING, SAVER),
        # A checkpoint that is no backup, and what puts back all by itself.
        listed(change(SAVER, is_backup=False), CUTTING),
        listed(SAVER, change(CUTTING, restores_all=True)),
    ],
    "restored into averages": [
        listed(change(PLATEAU, restores_weights=True), SWAP),
        listed(SWAP, change(PLATEAU, restores_all=True)),
    ],
    "search longer than the fit": [
        listed(change(PLATEAU, searches=50), total_steps=260),
        listed(change(PLATEAU, searches=50)),
    ],
}


@pytest.mark.parametrize("name", FOUND)
def test_what_a_rule_finds(name):
    found = plan_rules.find(FOUND[name][0], setup_rules.RULES)
    _, severity, evidence, says = FOUND[name]
    assert [finding.name for finding in found] == [name]
    assert found[0].severity == severity and found[0].evidence == evidence
    assert re.search(says, str(found[0]))


@pytest.mark.parametrize("name", NOT_FOUND)
def test_where_it_finds_nothing(name):
    for clean in NOT_FOUND[name]:
        assert plan_rules.find(clean, setup_rules.RULES) == []


def test_every_rule_has_both_tests():
    assert FOUND.keys() == NOT_FOUND.keys()
    for rule in setup_rules.RULES:
        assert any(list(rule(found)) for found, *_ in FOUND.values()), rule.__name__


def test_no_validation_data_and_a_metric_that_comes_later():
    found = plan_rules.find(listed(KERAS, metrics=METRICS, validates=False), setup_rules.RULES)
    assert [f.severity for f in found] == ["warning"]
    assert "`fit` has no validation data" in found[0].meaning
    late = listed(change(PLATEAU, monitor="score"), STRANGER, metrics=METRICS, validates=True)
    (finding,) = plan_rules.find(late, setup_rules.RULES)
    assert finding.severity == "warning"
    assert "If Stranger adds it, list that before Plateau." in finding.advice


def test_a_file_of_states_belongs_before_every_saver():
    checkpoint = change(SAVER, is_backup=False)
    found = plan_rules.find(listed(checkpoint, change(PLATEAU, is_kept=True)), setup_rules.RULES)
    assert [finding.name for finding in found] == ["saved too early"]


def test_findings_print_as_a_report():
    assert str(Findings()) == repr(Findings()) == "Nothing found."
    evidence = {"rate": 0.1234567, "all": ["a", "b"], "none": None, "words": "x", "empty": []}
    report = str(Findings([Finding("name", "note", evidence, "So it is.", "Do this.")]))
    assert report.splitlines() == [
        "note: name",
        "  So it is.",
        "  Evidence: rate = 0.123457, all = a, b, none = not known, words = x, empty = none",
        "  → Do this.",
    ]
    bare = Findings([Finding("a", "error", {}, "So."), Finding("b", "error", {}, "And so.")])
    assert str(bare) == "error: a\n  So.\nerror: b\n  And so."
