"""`keras-lr find`: the range test from the command line, and what it says when it cannot be run."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from support.command_line import runner
from support.tiers import once, rest

from keras_lr.finder import range_test

pytestmark = once
SCRIPT = """
import keras
import numpy as np

x = np.linspace(-1.0, 1.0, 64, dtype="float32")[:, None]


def make():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01, nesterov=True, momentum=0.5), "mse")
    return model, x, 3.0 * x + 1.0


def as_dict():
    model, x, y = make()
    return {"model": model, "x": x, "y": y, "num_steps": 20, "repeats": 2, "verbose": 0}


def needs(n): ...
def number(): return 3
def nothing(): ...
def four(): return *make(), x
def no_model(): return "model", x
def no_data(): return {"model": make()[0]}
def misspelt(): return {**as_dict(), "batchsize": 3}
def uncompiled(): return keras.Sequential([keras.layers.Dense(1)]), x
def consumed(): return make()[0], iter([(x, x)])


def broken():
    return {}["key"]


def refused():
    import keras_lr

    return keras_lr.scale_learning_rate(-1.0, 32, 64)


def leaves():
    raise SystemExit(0)


def wrong_shape():
    return make()[0], np.zeros((64, 3)), x


def moves():
    import os

    os.chdir("elsewhere")
    return as_dict()
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs `keras-lr find` beside `task.py`; returns the status and what was printed."""
    (tmp_path / "task.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    before = set(sys.modules)

    yield runner("find", capsys)
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@rest
def test_end_to_end_in_a_process_of_its_own(tmp_path):
    (tmp_path / "task.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "keras_lr", "find", "task:make", "--seed", "1"]
    done = subprocess.run(
        [*command, "--json", "found.json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["status"] == "ok" and 0.01 < found["suggestion"] < 1.0
    rate = f"{found['suggestion']:.3g}"
    assert "learning_rate: " in done.stdout.splitlines()[0]
    assert f"Suggestion: {rate}\n" in done.stdout and "Status: ok. The loss fell" in done.stdout
    pasted = re.search(r"constant: .*keras\.optimizers\.SGD\((.*?), momentum=0.5", done.stdout)
    # A run of 500: 1/√(1 + H₄₉₉).
    assert float(pasted[1]) / found["suggestion"] == pytest.approx(0.36, abs=0.02)
    assert done.stdout.endswith("Wrote found.json\nWrote range_test.png\n")
    assert (tmp_path / "range_test.png").read_bytes().startswith(b"\x89PNG")


def test_options_reach_the_range_test_before_what_the_function_says(run, tmp_path):
    options = ["--start=1e-4", "--end=1", "--steps=30", "--batch-size=8", "--verify=1", "--seed=5"]
    status, out, err = run("task:as_dict", *options, "--json=a.json", "--output=b.svg")
    assert (status, err) == (0, "")
    made = json.loads((tmp_path / "a.json").read_text())
    rates = np.array(made["learning_rates"])
    np.testing.assert_allclose(rates[:30], np.geomspace(1e-4, 1.0, 30)[: len(rates)], rtol=1e-12)
    assert len(made["repeats"]) == 2 and len(made["evidence"]) == 1
    between = ", between {:.3g} and {:.3g}".format(*made["interval"]) if made["interval"] else ""
    assert f"Suggestion: {made['suggestion']:.3g}{between}\n" in out
    assert f"  run at {made['evidence'][0][0]:.3g}: loss {made['evidence'][0][1]:.4g}" in out
    assert (tmp_path / "b.svg").read_text().startswith("<?xml")
    assert not (tmp_path / "range_test.png").exists() and "learning_rate: " not in out
    # With a seed the weights are the same too, and the range test is that of Python.
    keras.utils.set_random_seed(5)
    arguments = {**sys.modules["task"].as_dict(), "start": 1e-4, "end": 1.0, "num_steps": 30}
    assert range_test(**{**arguments, "batch_size": 8, "verify": 1, "seed": 5}).to_dict() == made


def test_without_a_suggestion_the_status_is_1_and_says_why(run, tmp_path):
    status, out, err = run("task.py:make", "--end", "1e-5", "--steps=20", "--json=a.json")
    assert (status, err) == (1, "")
    # Here it is the rates that are too low.
    assert "the rates may be too low, give a higher --end; or noise hides the fall" in out
    assert "\nNo suggestion.\n" in out and "keras.optimizers" not in out
    assert json.loads((tmp_path / "a.json").read_text())["suggestion"] is None
    assert (tmp_path / "range_test.png").is_file()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["task"], r"MODULE:FUNCTION: must be a module or .* such as train:make. Received: 'task'"),
        ([".task:make"], "must be a module or the path of a .py file.*Received: '.task:make'"),
        (["task:"], "must be a module or the path of a .py file.*Received: 'task:'"),
        (["absent:make"], "MODULE must be a module that can be imported .* Received: 'absent'"),
        (["task.sub:make"], "MODULE must be a module .* Received: 'task.sub'"),
        (["absent.py:make"], "MODULE must be a file that exists. Received: 'absent.py'"),
        (["task:mak"], "function of task, which has make, as_dict, .* Received: 'mak'"),
        (["task:x"], "FUNCTION must be a function of task, .* Received: 'x'"),
        (["task:needs"], r"must take no arguments. Received: needs\(n\): missing .* 'n'"),
        (["task:number"], r"must return \(model, x\), .* Received: a value of type int"),
        (["task:nothing"], "must return .* Received: None"),
        (["task:four"], r"Received: \(Sequential, ndarray, ndarray, ndarray\)"),
        (["task:no_model"], "The model of task:no_model must be a Keras model. Received: 'model'"),
        (["task:no_data"], "with model and x: .* Received: a dict of 'model'"),
        (["task:misspelt"], "arguments of range_test, .* Received: a dict of .*'batchsize'"),
        (["task:uncompiled"], "must be compiled: .* Received: <Sequential .*without an optimizer"),
        (["task:consumed"], "`x` must be data that can be read again.* Received: x=<list_iterator"),
        (["task:make", "--end=1e-9"], "`end` must be > start = 1e-07. Received: end=1e-09"),
        (["task:make", "--steps=1"], "--steps: must be an integer >= 2. Received: '1'"),
        (["task:make", "--seed=-1"], "--seed: must be an integer >= 0 and .* Received: '-1'"),
        (["task:make", "--output=a.gif"], "--output: must end in one of .png, .*'a.gif'"),
        (["task:make", "--json=no/a.json"], "--json: must be in a folder that exists.*'no/a.json'"),
        ([], "arguments are required: MODULE:FUNCTION"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_said_in_one_line(arguments, message, run, tmp_path):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "") and err.startswith("keras-lr find: ") and err.count("\n") == 1
    assert re.search(message, err), err
    assert {path.name for path in tmp_path.iterdir()} <= {"task.py", "__pycache__"}


@pytest.mark.parametrize(
    "function, line, last",
    [
        ("broken", 'return {}["key"]', "KeyError: 'key'"),
        ("refused", "return keras_lr.scale_learning_rate(-1.0, 32, 64)", "ValueError: `"),
        ("leaves", "raise SystemExit(0)", "SystemExit: 0"),
        ("wrong_shape", "", "(ValueError|InvalidArgument)"),
    ],
)
def test_an_error_of_the_users_own_keeps_its_traceback(function, line, last, run):
    status, out, err = run(f"task:{function}")
    assert (status, out) == (2, "") and err.startswith("Traceback") and line in err
    assert re.search(f"^.*{last}", err, re.MULTILINE) and "commands" not in err


@pytest.mark.parametrize(
    "content, last",
    [("import absent_too", "No module named 'absent_too'"), ("def f(:", "SyntaxError: invalid")],
)
def test_an_error_while_importing_keeps_its_traceback(content, last, run, tmp_path):
    (tmp_path / "other.py").write_text(content)
    for name in ("other:f", "other.py:f"):
        status, _, err = run(name)
        assert status == 2 and last in err and content in err and "importlib" not in err


def test_a_file_finds_its_neighbours_and_displaces_no_module(run, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "beside.py").write_text("from task import number as found")
    (folder / "json.py").write_text("from beside import found as make")
    assert "Received: a value of type int" in run("folder/json.py:make")[2]
    assert sys.modules["json"] is json


def test_a_back_end_that_comes_too_late_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", keras.config.backend())
    (tmp_path / "late.py").write_text("import os; os.environ['KERAS_BACKEND'] = 'numpy'")
    status, _, err = run("late:make")
    assert status == 2 and "Run KERAS_BACKEND=numpy python -m keras_lr …" in err
    assert f"Received: {keras.config.backend()!r}" in err and os.environ["KERAS_BACKEND"] == "numpy"


def test_files_go_where_the_command_began(run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    assert run("task:moves", "--json=a.json")[0] in (0, 1)
    assert (tmp_path / "a.json").is_file() and (tmp_path / "range_test.png").is_file()


def test_what_cannot_be_written_is_told_after_what_was_found(run, tmp_path):
    (tmp_path / "range_test.png").mkdir()
    status, out, err = run("task:as_dict", "--repeats=1")
    assert status == 2 and "Status: " in out and "directory" in err.lower()
    assert err.startswith("keras-lr find: ") and err.count("\n") == 1


def test_without_matplotlib_there_is_no_picture(run, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "matplotlib" else found(name)
    )
    status, out, err = run("task:make", "--output=a.png")
    assert (status, out) == (2, "") and "--output needs matplotlib: pip install" in err
    status, out, err = run("task:as_dict")
    assert "there will be no picture" in err and "Wrote" not in out
    assert not (tmp_path / "range_test.png").exists()
