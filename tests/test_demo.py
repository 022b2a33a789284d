"""The main job: runs end to end on few epochs, says what it found, and refuses clearly."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from support.tiers import once, rest

from keras_lr import __main__ as command_line
from keras_lr import demo
from keras_lr.finder.curve import Curve
from keras_lr.finder.result import RangeTest

pytest.importorskip("sklearn")
pytestmark = once


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(demo, "CONSTANT_RATES", (0.01, 0.1))
    monkeypatch.setattr(demo, "SEEDS", 2)
    monkeypatch.setattr(demo, "EPOCHS", 5)


def test_demo_writes_picture_and_report_and_shows_progress(quick, tmp_path, capsys):
    assert command_line.main(["demo", "--folder", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "1. Choose" in told and "epoch  5/5" in told and "digits.png" in told
    report = (tmp_path / "out" / "report.txt").read_text()
    assert "Test accuracy, 500 images" in report and report in told
    assert (tmp_path / "out" / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_data_are_three_disjoint_parts():
    data = demo.load_data()
    assert [len(data.x_train), len(data.x_val), len(data.x_test)] == [997, 300, 500]
    assert data.x_train.min() == 0.0 and data.x_train.max() == 1.0
    rows = {row.tobytes() for row in data.x_train} & {row.tobytes() for row in data.x_test}
    assert not rows


class Record:
    learning_rate = [0.1, 0.05, 0.0]
    events = ()


def outcome(*accuracies, rate=0.1):
    return demo.Outcome(rate, Record(), None, list(accuracies))


def swept(losses):
    curve = Curve(np.geomspace(1e-4, 1.0, len(losses)), np.array(losses, "float64"), 4)
    return RangeTest.of(curve, [curve])


FOUND = swept(np.linspace(3.0, 1.0, 40).clip(2.0))


def test_report_claims_nothing_under_two_standard_errors():
    # Pairs of runs from the same seed differ by 1, 2 and 3 points: 2 ± 0.58.
    driven, default = outcome(0.95, 0.96, 0.97), outcome(0.94, 0.94, 0.94, rate=0.01)
    constant = outcome(0.97, 0.95, 0.96, rate=0.3)
    told = demo.report(FOUND, driven, [default, constant], 500)
    assert "default, 0.01: +2.0% ± 0.6%, more than twice its error" in told
    assert "best constant rate, 0.3: +0.0% ± 1.0%, no clear difference" in told
    assert "96.0% ± 0.6%" in told and "94.0% ± 0.0%" in told


def test_report_says_where_the_rate_is_from():
    run = outcome(0.9, 0.9)
    assert f"train from {FOUND.suggestion:.3g} to 0. The loss fell" in demo.report(
        FOUND, run, [run], 500
    )
    falling = swept(np.linspace(3.0, 1.0, 40))
    assert falling.suggestion is None
    assert "no suggestion. The loss was still falling" in demo.report(falling, run, [run], 500)


def test_without_the_extra_it_refuses_by_name(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"matplotlib and scikit-learn: pip install .*\[demo\]"):
        command_line.main(["demo"])


@rest
def test_help_names_the_commands():
    command = [sys.executable, "-m", "keras_lr", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "demo" in told
