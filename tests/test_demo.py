"""The main job: runs end to end on few epochs, says what it found, and refuses clearly."""

import importlib.util
import math
import subprocess
import sys

import pytest

from keras_lr import __main__ as command_line
from keras_lr import demo

pytest.importorskip("sklearn")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(demo, "SWEEP_RATES", (0.01, 0.1, 0.3))
    monkeypatch.setattr(demo, "SWEEP_EPOCHS", 1)
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


def outcome(accuracy, rate=0.1, losses=None):
    losses = losses or {0.01: 1.0, 0.1: 0.5, 1.0: math.nan}
    return demo.Outcome(rate, losses, Record(), accuracy, None)


def test_report_claims_nothing_under_two_standard_errors():
    assert "show no difference" in demo.report(outcome(0.96), outcome(0.95), 500)
    clear = demo.report(outcome(0.96), outcome(0.80), 500)
    assert "show no difference" not in clear and "in one run of each" in clear
    assert "+16.0% ± 2.0%" in clear


def test_report_says_when_the_sweep_was_too_narrow():
    assert "look further" not in demo.report(outcome(0.9), outcome(0.9), 500)
    assert "look further" in demo.report(outcome(0.9, 0.01), outcome(0.9), 500)


def test_without_the_extra_it_refuses_by_name(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"matplotlib and scikit-learn: pip install .*\[demo\]"):
        command_line.main(["demo"])


def test_help_names_the_commands():
    command = [sys.executable, "-m", "keras_lr", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "demo" in told
