"""README, CONTRIBUTING and docs: code blocks run, public classes have their rows."""

import inspect
import re

import keras
import pytest
from support.linted import lint_every_fit
from support.pages import PAGES, ROOT, blocks, section, text_of
from support.tiers import cells

import keras_lr
from keras_lr import callbacks, schedules

WITH_CODE = [name for name in PAGES if blocks(name)]


@pytest.mark.parametrize("name", cells(WITH_CODE, ["README.md", "CONTRIBUTING.md"]))
def test_code_blocks_run_when_pasted_and_lint_clean(name, monkeypatch):
    names, found = {"__name__": "pasted"}, []
    lint_every_fit(monkeypatch, found)
    for block in blocks(name):
        exec(compile(block, name, "exec"), names)
    assert not any(found), found
    # Those of range_test are linted as well.
    assert len(found) >= sum(block.count(".fit(") for block in blocks(name))


def test_every_page_but_a_list_begins_with_code():
    without = {"docs/caveats.md", "docs/index.md", "docs/installing.md", "docs/sources.md"}
    for name in PAGES:
        if name.startswith("docs/") and name not in without:
            assert "\n## " not in text_of(name).partition("```python\n")[0], name


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_short_enough_for_one_sitting(name):
    assert len(text_of(name).splitlines()) <= 200


def test_schedules_have_the_values_in_the_comments():
    names = {}
    (block,) = [block for block in blocks("docs/choosing.md") if "describe()  #" in block]
    exec(block, names)
    schedule = names["schedule"]
    assert schedule.rates(5).round(12).tolist() == [0.001, 0.002, 0.003, 0.004, 0.005]
    promised = re.search(r"describe\(\) +# (.*)", block)[1]
    assert schedule.describe() == promised
    assert eval(repr(schedule), vars(schedules)) == schedule


def promises():
    """Expressions with their value in a comment, by page: `f(x)  # [1.0, 0.5]: why`."""
    for name in WITH_CODE:
        for block in blocks(name):
            for line in block.splitlines():
                if promise := re.match(r"(\S.*?)  # (\[[^]]*\]|[\d.]+)(:|$)", line):
                    yield pytest.param(name, promise[1], promise[2], id=f"{name}: {promise[1]}")


@pytest.mark.parametrize("name, expression, value", list(promises()))
def test_a_line_has_the_value_in_its_comment(name, expression, value):
    names = {**vars(keras_lr), **vars(callbacks), "schedules": schedules}
    setting = re.compile(r"(line|losses|rules) = ")
    for block in blocks(name):
        for line in block.splitlines():
            if setting.match(line):
                exec(line, names)
    assert eval(expression, names) == pytest.approx(eval(value), rel=1e-12)


def public(module, base):
    names = {
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base)
    }
    return sorted(names - {"Schedule", "Annealing", "Recipe", "Controller", "ProgressController"})


def test_the_catalogue_has_every_public_name():
    catalogue = text_of("docs/catalogue.md")
    names = public(schedules, keras.optimizers.schedules.LearningRateSchedule)
    names += public(callbacks, keras.callbacks.Callback)
    bases = {"RateCallback", "StepCallback"}
    table = "\n".join(line for line in catalogue.splitlines() if line[:1] == "|")
    missing = [name for name in names if name not in bases and f"`{name}`" not in table]
    assert len(names) > 30 and not missing
    functions = [name for name in keras_lr.__all__ if inspect.isfunction(vars(keras_lr)[name])]
    assert len(functions) > 10
    assert not [name for name in functions if not re.search(rf"`{name}[(`]", table)]


def test_ci_finds_its_commands():
    for command in ("python -m keras_lr demo", "python -m tests"):
        lines = text_of("README.md").splitlines()
        (line,) = [line for line in lines if line.startswith("python3") and command in line]
        assert "-m venv .venv" in line and "pip install" in line


def test_the_map_has_every_room_and_only_what_there_is():
    rows = [line for line in section("CONTRIBUTING.md", "The map") if line[:3] == "| `"]
    rooms = {name for row in rows for name in re.findall(r"`([^`]*)`", row.split(" | ")[0])}
    paths = [path for path in (ROOT / "keras_lr").iterdir() if path.name[:1] != "_"]
    found = {path.name + "/" * path.is_dir() for path in paths} - {"py.typed"}
    assert rooms == found | {"__main__.py"}


def test_every_answer_of_the_map_is_there():
    rows = [line for line in section("CONTRIBUTING.md", "The map") if "? | `" in line]
    assert len(rows) >= 10
    for row in rows:
        assert (ROOT / "keras_lr" / row.split("`")[-2]).exists(), row


def test_every_page_and_notebook_has_a_row():
    listed = set(re.findall(r"\]\((.*?)[)#]", text_of("docs/index.md")))
    assert {f"../notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")} <= listed
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"} <= listed


def test_every_paper_in_a_docstring_is_among_the_sources():
    code = "".join(path.read_text() for path in (ROOT / "keras_lr").rglob("*.py"))
    # Numbers of a paper have four digits, a point, and five; the first two are a year's.
    papers = set(re.findall(r"\b\d{4}\.\d{5}\b", code))
    assert len(papers) > 15
    assert papers <= set(re.findall(r"\[(\d{4}\.\d{5})\]", text_of("docs/sources.md")))


def replacements():
    """The code in the right-hand column of the tables of "Moving here"."""
    rows = [line for line in text_of("docs/moving.md").splitlines() if line.startswith("| `")]
    columns = [row.strip("| ").split(" | ")[-1] for row in rows]
    return [span for column in columns for span in re.findall(r"`([^`]*\))`", column)]


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
