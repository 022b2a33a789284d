"""The main job: runs end to end on few epochs, says what it found, and refuses clearly."""

import numpy as np
import pytest
from support.tiers import once

from keras_lr import __main__ as command_line
from keras_lr import demo
from keras_lr.comparison import Comparison, Contestant, Point
from keras_lr.finder.curve import Curve
from keras_lr.finder.result import RangeTest

pytest.importorskip("sklearn")
pytestmark = once


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(demo, "RATES", (0.05, 0.1, 0.2))
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
    assert "Diagnosis of Keras' default (0.01)" in explained and "The learning rate: " in explained
    assert (tmp_path / "out" / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_data_are_three_disjoint_parts():
    data = demo.load_data()
    assert [len(data.x_train), len(data.x_val), len(data.x_test)] == [997, 300, 500]
    assert data.x_train.min() == 0.0 and data.x_train.max() == 1.0
    rows = {row.tobytes() for row in data.x_train} & {row.tobytes() for row in data.x_test}
    assert not rows


def swept(losses):
    curve = Curve(np.geomspace(1e-4, 1.0, len(losses)), np.array(losses, "float64"), 4)
    return RangeTest.of(curve, [curve])


class Driver:
    """What the report asks of the callback that has chosen."""

    found = swept(np.linspace(3.0, 1.0, 40).clip(2.0))
    peak = found.suggestion


class Record:
    learning_rate = [0.1, 0.05, 0.0]
    events = ()


def test_report_says_where_the_rate_is_from_and_what_was_compared():
    points = tuple(Point(rate, 0.5, 0.1) for rate in (0.1, 0.2, 0.4))
    rows = (
        Contestant(demo.OURS, None, True, (), (0.3, 0.4), 0.35, 0.05, 0, 0),
        Contestant("constant", 0.2, True, points, (0.5, 0.6), 0.55, 0.05, 0, 0),
    )
    compared = Comparison("loss", False, 2, 100, rows, (), ())
    told = demo.report(demo.Run(Record(), Driver()), compared, 500)
    assert f"a sweep of 40 updates: a peak of {Driver.peak:.3g}. The loss" in told
    assert "500 test images; the constant rate is the best of 3 that were tried:" in told
    assert compared.report() in told
