"""Results on the disk: whole lines count, torn ones do not, and other data are refused."""

import os
import subprocess
import sys

import pytest
from support.tiers import rest

from keras_lr.comparison.protocol import Outcome
from keras_lr.comparison.results_file import ResultsFile

WHAT = {"data": "d", "model": "m"}
OUTCOMES = {f"k{i}": Outcome(0.5 * i, {"loss": 0.5 * i}, 0.1) for i in range(3)}


def written(folder, outcomes=OUTCOMES):
    with ResultsFile(folder, WHAT) as results:
        for key, outcome in outcomes.items():
            results.add(key, outcome, {"name": "a"})
    return folder / "results.jsonl"


def read(folder, keys=OUTCOMES):
    with ResultsFile(folder, WHAT) as results:
        return {key: results.get(key) for key in keys}


def test_results_are_there_again(tmp_path):
    written(tmp_path / "new" / "folder")
    assert read(tmp_path / "new" / "folder") == OUTCOMES


def test_a_line_is_torn_anywhere_and_the_others_are_there(tmp_path):
    path = written(tmp_path)
    whole = path.read_bytes()
    begin = whole.rindex(b"\n", 0, -1) + 1
    for end in range(begin, len(whole) - 1):
        path.write_bytes(whole[:end])
        found = read(tmp_path)
        assert found == {**OUTCOMES, "k2": None}
    written(tmp_path, {"k2": OUTCOMES["k2"]})
    assert read(tmp_path) == OUTCOMES


def test_a_first_line_that_is_torn_is_written_again(tmp_path):
    path = written(tmp_path, {})
    path.write_bytes(path.read_bytes()[:20])
    written(tmp_path)
    assert read(tmp_path) == OUTCOMES


def test_results_whose_first_line_is_damaged_are_refused(tmp_path):
    path = written(tmp_path)
    path.write_bytes(b"x" + path.read_bytes())
    with pytest.raises(ValueError, match="first line is damaged"):
        read(tmp_path)


@pytest.mark.parametrize("changed", WHAT)
def test_results_of_something_else_are_refused(tmp_path, changed):
    written(tmp_path)
    with pytest.raises(ValueError, match=f"with the same {changed} as now. Received"):
        ResultsFile(tmp_path, {**WHAT, changed: "other"}).__enter__()
    assert read(tmp_path) == OUTCOMES


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="a folder that can be written to. Received"):
        ResultsFile(tmp_path / "file", WHAT).__enter__()
    with pytest.raises(ValueError, match="the path of a folder"):
        ResultsFile(3, WHAT)


@rest
def test_a_folder_in_use_is_refused(tmp_path):
    code = f"""
from keras_lr.comparison.results_file import ResultsFile
try:
    ResultsFile({str(tmp_path)!r}, {WHAT}).__enter__()
except ValueError as error:
    print(error)
"""
    with ResultsFile(tmp_path, WHAT):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "is in use by process" in done.stdout and "another directory=" in done.stdout


def test_a_full_disk_loses_nothing_of_what_was_written(tmp_path, monkeypatch):
    write = os.write

    def full(file, line):
        if len(line) > 60:
            return write(file, line[:60])
        raise OSError(28, "No space left on device")

    with ResultsFile(tmp_path, WHAT) as results:
        results.add("k0", OUTCOMES["k0"], {})
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            results.add("k1", OUTCOMES["k1"], {})
        monkeypatch.undo()
    assert read(tmp_path) == {"k0": OUTCOMES["k0"], "k1": None, "k2": None}
