"""`keras-lr plot`: pictures and charts from typed schedules, and one line about what is wrong."""

import builtins
import importlib.util
import io
import sys

import numpy as np
import pytest

from keras_lr import __main__ as command_line
from keras_lr.plotting.terminal import chart
from keras_lr.schedules import (
    Constant,
    CosineDecayRestarts,
    LinearDecay,
    MultiStepDecay,
    Tabulated,
    WarmupStableDecay,
)

LINEAR = "LinearDecay(0.1, 90).with_warmup(10)"
DESCRIBED = f"{LINEAR}: first 0.01 at update 0, peak 0.1 at update 9, last 0 at update 100"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs `keras-lr plot` in an empty folder; returns the status and what was printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")

    def run(*arguments):
        try:
            status = command_line.main(["plot", *arguments])
        except SystemExit as refusal:
            status = refusal.code
        return status, *capsys.readouterr()

    return run


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
    status, out, _ = run("linear(0.1, '50%')", "--steps", "1e3", "--terminal")
    assert status == 0 and "last 0 at update 1000" in out
    status, out, _ = run(
        "linear(0.1, 5).with_warmup('2 epochs')", "--steps=90", "--epochs=9", "--terminal"
    )
    assert status == 0 and "peak 0.1 at update 19" in out and "warmup end at 20" in out


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
        (["linear(0.1, 9) - 1", "--log", "--terminal"], "`log` must be False where rates are neg"),
        (["linear(0.1, 1e300)"], "`total_steps` must be an integer >= 1 and <= 9007199254740992"),
        (["linear(0.1, 9)", "--steps", "0"], "--steps: must be an integer >= 1.* Received: '0'"),
        (["linear(0.1, 9)", "--steps", "1.5"], "--steps: must be an integer.* Received: '1.5'"),
        (["linear(0.1, 9)", "--epochs", "x"], "--epochs: must be a finite number > 0.*'x'"),
        (["linear(0.1, 9)", "--epochs", "nan"], "--epochs: must be a finite number > 0.*'nan'"),
        (["linear(0.1, 9)", "--output", "a.gif"], r"must end in one of .png, .pdf, .svg.*'a.gif'"),
        (["linear(0.1, 9)", "--output", "no/a.png"], "must be in a folder that exists.*'no/a.png'"),
        (["linear(0.1, 9)", "--output=a.png", "--terminal"], "not allowed with"),
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


def test_without_matplotlib_the_terminal_is_drawn_in_and_told_why(run, without_matplotlib):
    status, out, err = run(LINEAR)
    assert status == 0 and out.startswith(f"{described()}\nrate\n")
    assert err.startswith(
        "keras-lr plot: matplotlib is not installed (pip install 'keras_lr[plot]')"
    )
    assert run(LINEAR, "--terminal")[2] == ""


def test_a_file_that_was_asked_for_needs_matplotlib(run, without_matplotlib):
    status, out, err = run(LINEAR, "--output", "a.png")
    assert (status, out) == (2, "") and "pip install 'keras_lr[plot]', or draw with --term" in err


def test_other_characters_than_the_encoding_has_become_question_marks(run, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    text = "linear(0.1, 90, name='\N{GREEK SMALL LETTER ETA}').hold(30)"
    assert run(text, "--steps=100", "--terminal")[0] == 0
    stream.flush()
    lines = stream.buffer.getvalue().decode("ascii").splitlines()
    assert lines[0].startswith("linear(0.1, 90, name='?').hold(30): first 0.1")
    assert lines[-3].strip() == "+" + "-" * 54 and max(map(len, lines[1:])) == 60


def test_nothing_typed_is_evaluated(run, monkeypatch):
    monkeypatch.setattr(builtins, "eval", lambda *_: pytest.fail("eval() was called"))
    assert run("__import__('os').system('touch it')")[0] == 2
    assert run(LINEAR, "--terminal")[0] == 0


# Charts


def cells(text):
    """The curve of a chart, without its axes: a list of rows."""
    rows = [line for line in text.splitlines() if any(sign in line for sign in "┤│")]
    return [row.partition("┤")[2] or row.partition("│")[2] for row in rows]


def columns_of(character, row):
    return [i for i, c in enumerate(row) if c == character]


def test_a_falling_line_goes_from_the_upper_left_to_the_lower_right():
    rows = cells(chart(LinearDecay(0.1, 90), 90, width=80))
    begins = [len(row) - len(row.lstrip()) for row in rows]
    assert begins == sorted(begins) and begins[0] == 0 and len(rows[-1]) > 70
    assert all(rows)


def test_a_jump_is_vertical_and_treads_are_level():
    rows = cells(chart(MultiStepDecay(0.1, [50], 0.5), 100, width=80))
    assert len(set(rows[0].strip())) <= 2 and len(rows[0]) in (37, 38)
    assert [row.strip() for row in rows[1:4]] == [rows[1].strip()] * 3
    assert all(len(row.strip()) == 1 for row in rows[1:4])
    assert rows[4].startswith(" " * 36) and len(rows[4]) == 74 and not any(rows[5:])


def test_a_steep_fall_leaves_no_gap():
    rows = cells(chart(LinearDecay(0.1, 2), 100, width=80))
    assert all(rows) and len(rows[8]) == 74


@pytest.mark.parametrize("width, drawn", [(10, 40), (40, 40), (77, 77), (120, 120), (500, 120)])
def test_a_chart_is_as_wide_as_the_terminal_within_reason(width, drawn):
    lines = chart(WarmupStableDecay(0.1, 1000), 1000, width=width).splitlines()
    assert max(map(len, lines)) == drawn


def test_axes_have_numbers_and_marks_are_told():
    lines = chart(WarmupStableDecay(0.1, 1000), 1000, width=60).splitlines()
    assert lines[0] == "rate" and lines[1].startswith(" 0.1 ┤") and lines[5].startswith("0.05 ┤")
    assert lines[9].startswith("   0 ┤") and lines[-1] == "warmup end at 50; boundary at 800"
    assert lines[-2].split() == ["update", "0", "500", "1000"]
    floor = lines[-3].partition("└")[2]
    assert columns_of("┴", floor) == [round(50 / 1000 * 53), round(800 / 1000 * 53)]


def test_a_log_axis_has_the_geometric_mean_in_its_middle():
    lines = chart(MultiStepDecay(0.1, [30, 60], 0.1), 90, width=60, log=True).splitlines()
    labels = [lines[row].split()[0] for row in (1, 5, 9)]
    assert labels == ["0.1", "0.01", "0.001"]
    rows = cells("\n".join(lines))
    assert len(rows[4].strip()) > 15 and len(rows[0]) < len(rows[4]) < len(rows[8])


def test_many_schedules_share_an_axis_by_its_top():
    rows = cells(chart(Constant(0.1), 10, width=60, top=0.2))
    assert [bool(row) for row in rows] == [row == 4 for row in range(9)]


@pytest.mark.parametrize(
    "schedule, steps, options",
    [
        (Constant(0.0), 1, {}),
        (Constant(0.1), 1, {"log": True}),
        (LinearDecay(0.1, 9) - 0.2, 9, {}),
        (CosineDecayRestarts(0.1, 1), 3, {}),
        (Tabulated([1e-300, 1e300]), 2, {}),
        (Tabulated([1e-300, 1e300, 1.0]), 3, {"log": True}),
        (LinearDecay(0.1, 10**9), 2**53, {}),
    ],
    ids=repr,
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", None])
def test_extremes_are_drawn_in_full_and_in_the_encoding(schedule, steps, options, encoding):
    text = chart(schedule, steps, width=60, encoding=encoding, **options)
    text.encode(encoding or "utf-8")
    lines = text.splitlines()
    assert len(lines) in (12, 13) and max(map(len, lines)) <= 60
    assert ("┤" in text) == (encoding in ("utf-8", None))
    assert any(set(line[12:]) - set(" -+|─┴") for line in lines[1:10])


def test_plain_characters_show_the_same_curve():
    fine = cells(chart(LinearDecay(0.1, 90), 90, width=60))
    plain = chart(LinearDecay(0.1, 90), 90, width=60, encoding="ascii").splitlines()[1:10]
    coarse = [line[6:] for line in plain]
    for smooth, rough in zip(fine, coarse):
        at = [np.mean([i for i, c in enumerate(row) if c != " "]) for row in (smooth, rough)]
        assert abs(at[0] - at[1]) <= 1
