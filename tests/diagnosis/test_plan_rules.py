"""Each plan rule: what it finds, with its evidence, and a plan in which it finds nothing."""

import dataclasses
import re

import pytest

from keras_lr.diagnosis import plan_rules
from keras_lr.diagnosis.findings import Finding
from keras_lr.diagnosis.plan import CallbackPlan, OptimizerPlan, Plan

CLEAN = OptimizerPlan("sgd", False, highest_to_come=0.1, highest_in_step=0.1)
SPENT = OptimizerPlan("sgd", True, 100, 120, 0.1, 0.0, 0.0)


def ours(kind="ReduceLROnPlateau", identity=0, **facts):
    return CallbackPlan(kind, f"{kind}()", identity, is_ours=True, **facts)


def theirs(kind, identity=9, **facts):
    return CallbackPlan(kind, kind, identity, **facts)


def plan(*callbacks, optimizer=CLEAN, **facts):
    return Plan(callbacks, (optimizer,), **facts)


WRITER = theirs("ReduceLROnPlateau", writes_rate=True)
LENGTH = {"steps_per_epoch": 4.0, "epoch": 0}
FOUND = {
    "listed twice": (plan(ours(), ours()), "error", {"times": 2}, "Received twice: ReduceLROn"),
    "two bases": (
        plan(ours("A", 1, sets_base=True), ours("B", 2, sets_base=True)),
        "error",
        {"callbacks": 2},
        "Received: A and B. Remove one",
    ),
    "writer on a schedule": (
        plan(WRITER, optimizer=OptimizerPlan("sgd", True)),
        "error",
        {},
        "built with a schedule",
    ),
    "two writers": (plan(WRITER, ours(writes_rate=True)), "warning", {}, "beside ReduceLROnPlat"),
    "schedule exhausted": (
        plan(ours(), optimizer=SPENT),
        "warning",
        {"length": 100, "counted": 120, "highest": 0.0, "peak": 0.1},
        "it ends at step 100, the optimizer counts 120",
    ),
    "min_lr above the rate": (
        plan(ours(lower_limit=0.1)),
        "warning",
        {"min_lr": 0.1, "highest": 0.1},
        "will never reduce",
    ),
    "integer rate": (
        plan(optimizer=OptimizerPlan("sgd", True, as_integer=(1, 0.0, 0.9))),
        "warning",
        {"step": 1, "rate": 0.0, "meant": 0.9},
        "at step 1 it has the rate 0 there, where 0.9 is meant",
    ),
    "lr assigned": (
        plan(optimizer=dataclasses.replace(CLEAN, assigned_lr=3.0)),
        "warning",
        {"lr": 3.0},
        "`lr` was assigned to sgd, .* keras_lr.set_rate",
    ),
    "reads too early": (
        plan(theirs("CSVLogger", reads_logs=True), ours("Recorder", logs_rate=True)),
        "warning",
        {"place": 1},
        "CSVLogger will not see .* list Recorder first",
    ),
    "another length": (
        plan(ours(depends_on_length=True), made_in_epoch=6, **LENGTH),
        "warning",
        {"planned": 4.0, "made": 6},
        "planned for 4 updates per epoch, but epoch 1 made 6: .* too early",
    ),
}
NOT_FOUND = {
    "listed twice": plan(ours(identity=1), ours(identity=2)),
    "two bases": plan(ours("A", 1, sets_base=True), ours("B", 2)),
    "writer on a schedule": plan(WRITER),
    "two writers": plan(WRITER, ours()),
    "schedule exhausted": plan(optimizer=dataclasses.replace(SPENT, steps_counted=99)),
    "min_lr above the rate": plan(ours(lower_limit=0.09)),
    "integer rate": plan(optimizer=OptimizerPlan("sgd", True)),
    "lr assigned": plan(),
    "reads too early": plan(ours("Recorder", logs_rate=True), theirs("CSVLogger", reads_logs=True)),
    "another length": plan(ours(depends_on_length=True), made_in_epoch=4, **LENGTH),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_a_rule_finds(name):
    found = plan_rules.find(FOUND[name][0])
    _, severity, evidence, says = FOUND[name]
    assert [finding.name for finding in found] == [name]
    assert found[0].severity == severity and found[0].evidence == evidence
    assert re.search(says, str(found[0]))


@pytest.mark.parametrize("name", NOT_FOUND)
def test_where_it_finds_nothing(name):
    assert plan_rules.find(NOT_FOUND[name]) == []


def test_every_rule_has_both_tests():
    assert FOUND.keys() == NOT_FOUND.keys()
    for rule in plan_rules.RULES:
        assert any(list(rule(found)) for found, *_ in FOUND.values()), rule.__name__


def test_unknown_lengths_and_rates_are_no_findings():
    unknown = dataclasses.replace(CLEAN, highest_to_come=None, highest_in_step=None)
    assert plan_rules.find(plan(ours(lower_limit=1.0), optimizer=unknown)) == []
    assert plan_rules.find(plan(ours(depends_on_length=True), made_in_epoch=4)) == []
    assert plan_rules.find(Plan()) == []


def test_errors_come_first():
    both = plan(theirs("CSVLogger", reads_logs=True), ours(logs_rate=True), ours(logs_rate=True))
    assert [finding.severity for finding in plan_rules.find(both)] == ["error", "warning"]


def test_a_finding_is_frozen_checked_and_ready_for_json():
    finding = Finding("name", "note", {"value": 1.0}, "It is so.", "Do this.")
    assert str(finding) == "It is so. Do this."
    assert finding.to_dict()["evidence"] == {"value": 1.0}
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        finding.name = "other"
    with pytest.raises(ValueError, match="`severity` must be one of 'error', 'warning', 'note'"):
        Finding("name", "fatal", {}, "")
