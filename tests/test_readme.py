"""README and CONTRIBUTING: every code block runs, every public class has its row."""

import inspect
import pathlib
import re

import keras
import pytest

from keras_lr import callbacks, schedules

ROOT = pathlib.Path(__file__).parents[1]


def blocks(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_code_blocks_run_when_pasted(name):
    names = {"__name__": "pasted"}
    for block in blocks(name):
        exec(compile(block, name, "exec"), names)


def test_quick_start_values_are_those_in_the_comments():
    names = {}
    exec(blocks("README.md")[1], names)
    schedule = names["schedule"]
    assert schedule.rates(5).round(12).tolist() == [0.001, 0.002, 0.003, 0.004, 0.005]
    promised = re.search(r"describe\(\) +# (.*)", blocks("README.md")[1])[1]
    assert schedule.describe() == promised
    assert eval(repr(schedule), vars(schedules)) == schedule


def public(module, base):
    names = {
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base)
    }
    return sorted(names - {"Schedule", "Annealing", "Recipe", "Controller", "ProgressController"})


def test_every_public_class_has_a_row():
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if line[:1] == "|"]
    table = "\n".join(rows)
    names = public(schedules, keras.optimizers.schedules.LearningRateSchedule)
    names += public(callbacks, keras.callbacks.Callback)
    bases = {"RateCallback", "StepCallback"}
    missing = [name for name in names if name not in bases and f"`{name}`" not in table]
    assert len(names) > 30 and not missing


def test_ci_finds_its_commands():
    text = (ROOT / "README.md").read_text()
    for command in ("python -m keras_lr demo", "python -m tests"):
        (line,) = [
            line for line in text.splitlines() if line.startswith("python3") and command in line
        ]
        assert "-m venv .venv" in line and "pip install" in line


def test_pictures_exist():
    for name in re.findall(r"!\[.*?\]\((.*?)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / name).is_file(), name
