"""README and CONTRIBUTING: code blocks run, public classes have their rows, paths are there."""

import inspect
import pathlib
import re

import keras
import pytest
from support.linted import lint_every_fit

import keras_lr
from keras_lr import callbacks, schedules

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_code_blocks_run_when_pasted_and_lint_clean(name, monkeypatch):
    names, found = {"__name__": "pasted"}, []
    lint_every_fit(monkeypatch, found)
    for block in blocks(name):
        exec(compile(block, name, "exec"), names)
    assert not any(found), found
    assert len(found) >= 6 or name != "README.md"


def test_quick_start_values_are_those_in_the_comments():
    names = {}
    (block,) = [block for block in blocks("README.md") if "describe()  #" in block]
    exec(block, names)
    schedule = names["schedule"]
    assert schedule.rates(5).round(12).tolist() == [0.001, 0.002, 0.003, 0.004, 0.005]
    promised = re.search(r"describe\(\) +# (.*)", block)[1]
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
    rows = [line for line in README.splitlines() if line[:1] == "|"]
    table = "\n".join(rows)
    names = public(schedules, keras.optimizers.schedules.LearningRateSchedule)
    names += public(callbacks, keras.callbacks.Callback)
    bases = {"RateCallback", "StepCallback"}
    missing = [name for name in names if name not in bases and f"`{name}`" not in table]
    assert len(names) > 30 and not missing


def test_ci_finds_its_commands():
    for command in ("python -m keras_lr demo", "python -m tests"):
        (line,) = [
            line for line in README.splitlines() if line.startswith("python3") and command in line
        ]
        assert "-m venv .venv" in line and "pip install" in line


def section(title, text=README):
    """The text under a heading of the README, or of another text."""
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_map_has_every_room_and_only_what_there_is():
    rows = [line for line in section("The map", CONTRIBUTING).splitlines() if line[:3] == "| `"]
    rooms = {name for row in rows for name in re.findall(r"`([^`]*)`", row.split(" | ")[0])}
    paths = [path for path in (ROOT / "keras_lr").iterdir() if path.name[:2] not in ("_v", "__")]
    found = {path.name + "/" * path.is_dir() for path in paths} - {"py.typed", "__init__.py"}
    assert rooms == found | {"__main__.py"}


def test_every_answer_of_the_map_is_there():
    rows = [line for line in section("The map", CONTRIBUTING).splitlines() if "? | `" in line]
    assert len(rows) >= 10
    for row in rows:
        assert (ROOT / "keras_lr" / row.split("`")[-2]).exists(), row


def test_files_and_headings_that_are_linked_exist():
    links = re.findall(r"\]\(([^)]*)\)", README)
    assert len(links) > 10
    headings = re.findall(r"^#+ (.*)", README, flags=re.MULTILINE)
    words = (re.sub(r"[^\w -]", "", heading.lower()) for heading in headings)
    anchors = {"#" + heading.replace(" ", "-") for heading in words}
    for link in links:
        assert link in anchors if link.startswith("#") else (ROOT / link).is_file(), link


def test_every_notebook_has_a_row():
    names = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert names == set(re.findall(r"\(notebooks/(.*?\.ipynb)\)", section("Notebooks")))


def test_every_paper_in_a_docstring_is_among_the_sources():
    code = "".join(path.read_text() for path in (ROOT / "keras_lr").rglob("*.py"))
    # Numbers of a paper have four digits, a point, and five; the first two are a year's.
    papers = set(re.findall(r"\b\d{4}\.\d{5}\b", code))
    assert len(papers) > 15
    assert papers <= set(re.findall(r"\[(\d{4}\.\d{5})\]", section("Sources")))


def replacements():
    """The code in the right-hand column of the tables in "Moving here"."""
    rows = [line for line in section("Moving here").splitlines() if line.startswith("| `")]
    cells = [row.strip("| ").split(" | ")[-1] for row in rows]
    return [span for cell in cells for span in re.findall(r"`([^`]*\))`", cell)]


def test_what_is_written_instead_runs(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="dense")])
    model.compile("sgd", "mse")
    names = {name: getattr(keras_lr, name) for name in ("discriminative", "get_rate", "set_rate")}
    names |= {"keras": keras, "schedules": schedules, "callbacks": callbacks, "model": model}
    names |= {"fn": lambda epoch: 0.1, "schedule": schedules.Constant(0.1), "folder": tmp_path}
    # What is not one of these is half a sentence, as is `get_state()`.
    complete = re.compile(r"(keras|schedules|callbacks|discriminative|[gs]et_rate)\b")
    lines = [line for line in replacements() if complete.match(line)]
    assert len(lines) > 20
    for line in lines:
        eval(line, dict(names))
