"""The main job: runs end to end on few epochs, says what it found, and refuses clearly."""

import numpy as np
import pytest
from support.tiers import once

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
    assert (
        "1. Train with AutoLearningRate()" in told and "epoch  5/5" in told and "digits.png" in told
    )
    report = (tmp_path / "out" / "report.txt").read_text()
    assert "Loss on 500 test images" in report
    # The result, and why: in the file they follow one another.
    result, explained = report.split("Diagnosis of AutoLearningRate()")
    assert result.strip() in told and explained.strip() in told
    assert "Diagnosis of constant 0." in explained and "The learning rate: " in explained
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


def swept(losses):
    curve = Curve(np.geomspace(1e-4, 1.0, len(losses)), np.array(losses, "float64"), 4)
    return RangeTest.of(curve, [curve])


class Driver:
    """What the report asks of the callback that has chosen."""

    found = swept(np.linspace(3.0, 1.0, 40).clip(2.0))
    peak = found.suggestion


def outcome(*losses, rate=0.1):
    return demo.Outcome(rate, Record(), Driver(), list(losses), [0.9] * len(losses))


def test_report_claims_nothing_under_two_standard_errors():
    # Pairs of runs from the same seed differ by 0.1, 0.2 and 0.3: 0.2 ± 0.058.
    auto, default = outcome(0.3, 0.2, 0.1), outcome(0.4, 0.4, 0.4, rate=0.01)
    constant = outcome(0.1, 0.3, 0.2, rate=0.3)
    told = demo.report(auto, [default, constant], 500)
    assert "default, 0.01: -0.200 ± 0.058, more than twice its error" in told
    assert "best constant rate, 0.3: +0.000 ± 0.100, no clear difference" in told
    assert "0.200 ± 0.058, accuracy 90.0%" in told and "0.400 ± 0.000" in told


def test_report_says_where_the_rate_is_from():
    run = outcome(0.9, 0.9)
    told = demo.report(run, [run], 500)
    assert f"a sweep of 40 updates and 0 short runs: a peak of {Driver.peak:.3g}. The loss" in told
