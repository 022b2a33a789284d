"""`keras-lr rank`: a table of typed schedules, and one line about what is wrong."""

import pytest
from support.command_line import runner

from keras_lr import rank
from keras_lr.schedules import Constant, LinearDecay, WarmupStableDecay


@pytest.fixture
def run(capsys):
    """Runs `keras-lr rank`; returns the status and what was printed."""

    return runner("rank", capsys)


def test_prints_the_table_of_rank_under_the_typed_texts(run):
    texts = "wsd(0.2, 1000)", "0.1", "linear(0.1,\n 1000)"
    schedules = WarmupStableDecay(0.2, 1000), Constant(0.1), LinearDecay(0.1, 1000)
    names = texts[0], texts[1], "linear(0.1, 1000)"
    status, out, err = run(*texts, "--steps", "1e3")
    assert (status, out, err) == (0, f"{rank(dict(zip(names, schedules)), 1000)}\n", "")
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["linear(0.1,", "wsd(0.2,", "0.1"]


def test_durations_are_those_of_the_run(run):
    status, out, _ = run("linear(0.1, '50%')", "--steps=90")
    assert status == 0
    assert out == f"{rank({repr_of('50%'): LinearDecay(0.1, 45)}, 90)}\n"
    status, out, _ = run("linear(0.1, '3 epochs')", "--steps=90", "--epochs=9")
    assert status == 0
    assert out == f"{rank({repr_of('3 epochs'): LinearDecay(0.1, 30)}, 90)}\n"


def repr_of(duration):
    return f"linear(0.1, {duration!r})"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["cosine"], r"`text` must be a call: cosine\(initial_learning_rate, decay_steps"),
        (["linear(0.1, 9)", "oops(3)"], "must be made of names .* Received: 'oops' in text='oops"),
        (["linear(0.1,\n -9)"], "`decay_steps` must be"),
        (["linear(0.1, '5 epochs')"], "--epochs must be given.* Received: 5 epochs"),
        (["linear(0.1, 9) - 1"], r"`schedules\['linear.*none of them negative"),
        (["0.0"], r"`schedules\['0.0'\]` must be a schedule with a rate above 0"),
        (["0.1", "--steps=1e8"], "`total_steps` must be an integer >= 1 and <= 10000000"),
        (["0.1", "--steps=0"], "--steps: must be an integer >= 1.* Received: '0'"),
        (["0.1", "--epochs=x"], "--epochs: must be a finite number > 0.*'x'"),
        ([], "arguments are required: SCHEDULE"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_said_in_one_line(arguments, message, run):
    status, out, err = run("--steps=9", *arguments)
    assert (status, out) == (2, "") and err.startswith("keras-lr") and err.count("\n") == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(err)


def test_the_length_of_the_run_is_required(run):
    status, out, err = run("linear(0.1, 9)")
    assert (status, out) == (2, "") and "arguments are required: --steps" in err
