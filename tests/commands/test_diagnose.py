"""`keras-lr diagnose`: the report, and an exit status for scripts."""

import json

import numpy as np
import pytest
from support.command_line import runner
from support.run_curves import decay, noisy

from keras_lr import diagnose, explanation
from keras_lr.diagnosis.verdict import VERDICTS


@pytest.fixture
def run(capsys):
    """Runs `keras-lr diagnose`; returns the status and what was printed."""

    return runner("diagnose", capsys)


@pytest.fixture
def written(tmp_path):
    """Writes losses as a CSVLogger does; returns the path."""

    def written(losses):
        rows = [f"{epoch},{loss}" for epoch, loss in enumerate(losses)]
        path = tmp_path / "training.csv"
        path.write_text("\n".join(["epoch,loss", *rows, ""]))
        return path

    return written


@pytest.mark.parametrize(
    "word, status",
    [("good", 0), ("too small", 1), ("too large", 1), ("diverged", 1), ("undetermined", 3)],
)
def test_prints_the_report_and_returns_the_status(run, written, monkeypatch, word, status):
    # Which verdict a curve has is not the command's business.
    chances = dict.fromkeys(VERDICTS, 0.25)
    monkeypatch.setattr(explanation, "verdict", lambda curves: (word, chances))
    path = written(noisy(decay(4.0), 0.001))
    assert run(path) == (status, f"{diagnose(path).report()}\n", "")


def test_json(run, written):
    path = written([2.0, 3.0, np.inf])
    status, out, _ = run(path, "--json", "--initial", "2.5")
    assert status == 1 and json.loads(out) == diagnose(path, initial=2.5).to_dict()


def test_picture(run, written, tmp_path):
    status, *_ = run(written([2.0, 1.0]), "--output", tmp_path / "found.png")
    assert status == 3 and (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "No such file"),
        ("epoch,accuracy\n0,0.5\n", "must have the metric 'loss'. Received: accuracy"),
        ("epoch,loss\n0,0.5\n1", "ends with a line break"),
        ("epoch,loss\n0,0.5\n1,2,3\n", "2 values in each row"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_status_2(run, tmp_path, text, message):
    path = tmp_path / "training.csv"
    if text is not None:
        path.write_text(text)
    status, out, err = run(path)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("keras-lr diagnose:") and message in err
