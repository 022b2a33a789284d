"""`keras-lr plot`: pictures of typed schedules, and one line about what is wrong."""

import builtins
import importlib.util
import io
import sys

import pytest
from support.command_line import runner

LINEAR = "LinearDecay(0.1, 90).with_warmup(10)"
DESCRIBED = f"{LINEAR}: first 0.01 at update 0, peak 0.1 at update 9, last 0 at update 100"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs `keras-lr plot` in an empty folder; returns the status and what was printed."""
    monkeypatch.chdir(tmp_path)

    return runner("plot", capsys)


@pytest.fixture
def without_matplotlib(monkeypatch):
    found = importlib.util.find_spec
    hidden = {"matplotlib": None}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: hidden.get(name, found))


def test_writes_a_picture_and_describes_each_schedule(run, tmp_path):
    status, out, err = run(LINEAR, "wsd(0.2, 100)", "--steps", "100", "--epochs", "5")
    assert (status, err) == (0, "")
    described, wsd, wrote = out.splitlines()
    assert described == DESCRIBED and wrote == "Wrote schedules.png"
    assert wsd.startswith("wsd(0.2, 100): first 0.04 at update 0, peak 0.2 at update 4")
    assert [path.name for path in tmp_path.iterdir()] == ["schedules.png"]
    assert (tmp_path / "schedules.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "name, begin", [("a.pdf", b"%PDF"), ("b.svg", b"<?xml"), ("c.PNG", b"\x89")]
)
def test_the_format_is_that_of_the_name(run, tmp_path, name, begin):
    assert run(LINEAR, "--output", name)[:2] == (0, f"{described()}\nWrote {name}\n")
    assert (tmp_path / name).read_bytes().startswith(begin)


def described():
    # Without options a tenth more than the schedule is drawn.
    return DESCRIBED.replace("update 100", "update 110")


def test_a_failure_while_drawing_leaves_the_old_picture(run, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def broken(figure, path, **options):
        path.write(b"half a pic")
        raise OSError("no space left")

    (tmp_path / "schedules.png").write_text("old")
    monkeypatch.setattr(Figure, "savefig", broken)
    assert run(LINEAR) == (2, "", "keras-lr plot: no space left\n")
    assert [path.name for path in tmp_path.iterdir()] == ["schedules.png"]
    assert (tmp_path / "schedules.png").read_text() == "old"


def test_the_picture_has_the_typed_texts_the_epochs_and_the_axis(run, monkeypatch):
    from keras_lr import plotting

    drawn = {}
    monkeypatch.setattr(
        plotting, "plot_schedules", lambda schedules, steps, **o: drawn.update(o, steps=steps)
    )
    assert run("linear(0.1,\n 90)", "0.05", "--epochs=3", "--log")[0] == 0
    del drawn["ax"]
    assert drawn == {"steps": 90, "epochs": 3.0, "log": True, "labels": ["linear(0.1, 90)", "0.05"]}


def test_durations_are_those_of_the_run(run):
    status, out, _ = run("linear(0.1, '50%')", "--steps", "1e3")
    assert status == 0 and "last 0 at update 1000" in out
    status, out, _ = run("linear(0.1, 5).with_warmup('2 epochs')", "--steps=90", "--epochs=9")
    assert status == 0 and "peak 0.1 at update 19" in out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["cosine"], r"`text` must be a call: cosine\(initial_learning_rate, decay_steps"),
        (["linear(0.1, 9)", "oops(3)"], "must be made of names .* Received: 'oops' in text='oops"),
        (["linear(0.1, -9)"], "`decay_steps` must be .* from text='linear"),
        (["linear(0.1, 9"], r"Python's syntax .* Received: text='linear\(0.1, 9'"),
        (["linear(0.1,\n -9)"], "`decay_steps` must be"),
        (["linear(0.1, '5%')"], "--steps must be given, for the length .* Received: 5%"),
        (["linear(0.1, '5 epochs')"], "--steps and --epochs must be given.* Received: 5 epochs"),
        (["linear(0.1, '5 epochs')", "--steps=9"], "--epochs must be given.* Received: 5 epochs"),
        (["Constant(0.1)"], "--steps must be given.* Received: only schedules without an end"),
        (["linear(0.1, 9) - 1", "--log"], "`log` must be False where rates are negative"),
        (["linear(0.1, 1e30)"], "`total_steps` must be an integer >= 1 and <= 9007199254740992"),
        (["linear(0.1, 9)", "--steps", "0"], "--steps: must be an integer >= 1.* Received: '0'"),
        (["linear(0.1, 9)", "--steps", "1.5"], "--steps: must be an integer.* Received: '1.5'"),
        (["linear(0.1, 9)", "--epochs", "x"], "--epochs: must be a finite number > 0.*'x'"),
        (["linear(0.1, 9)", "--epochs", "nan"], "--epochs: must be a finite number > 0.*'nan'"),
        (["linear(0.1, 9)", "--output", "a.gif"], r"must end in one of .png, .pdf, .svg.*'a.gif'"),
        (["linear(0.1, 9)", "--output", "no/a.png"], "must be in a folder that exists.*'no/a.png'"),
        (["linear(0.1, 9)", "--terminal"], "--terminal is gone: write a picture with --output"),
        ([], "arguments are required: SCHEDULE"),
        (["linear(0.1, 9)", "--frobnicate"], "unrecognized arguments: --frobnicate"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_said_in_one_line(arguments, message, run, tmp_path):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "") and err.startswith("keras-lr") and err.count("\n") == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(err)
    assert not list(tmp_path.iterdir())


def test_a_folder_under_the_name_of_the_picture_is_refused(run, tmp_path):
    (tmp_path / "schedules.png").mkdir()
    status, out, err = run(LINEAR)
    assert (status, out) == (2, "") and "directory" in err.lower()
    assert [path.name for path in tmp_path.iterdir()] == ["schedules.png"]


def test_without_matplotlib_it_refuses_and_says_what_to_install(run, without_matplotlib):
    status, out, err = run(LINEAR, "--output", "a.png")
    assert (status, out) == (2, "") and "needs matplotlib" in err
    assert "pip install 'keras_lr[plot]'" in err


def test_other_characters_than_the_encoding_has_become_question_marks(run, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    text = "linear(0.1, 90, name='\N{GREEK SMALL LETTER ETA}').hold(30)"
    assert run(text, "--steps=100")[0] == 0
    stream.flush()
    lines = stream.buffer.getvalue().decode("ascii").splitlines()
    assert lines[0].startswith("linear(0.1, 90, name='?').hold(30): first 0.1")


def test_nothing_typed_is_evaluated(run, monkeypatch):
    monkeypatch.setattr(builtins, "eval", lambda *_: pytest.fail("eval() was called"))
    assert run("__import__('os').system('touch it')")[0] == 2
    assert run(LINEAR)[0] == 0
