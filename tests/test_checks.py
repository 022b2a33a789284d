import fractions
import math
import sys
import types

import numpy as np
import pytest

from keras_lr import checks

NOT_NUMBERS = [True, False, np.True_, None, "0.1", [0.1], np.array([0.1]), 1j, {}]


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int64(3), np.array(3.0)])
def test_numbers_become_python_floats(value):
    assert type(checks.RATE("rate", value)) is float
    assert checks.RATE("rate", value) == 3.0


def test_fractions_are_numbers():
    assert checks.RATE("rate", fractions.Fraction(1, 4)) == 0.25


@pytest.mark.parametrize("value", [*NOT_NUMBERS, math.nan, math.inf, -math.inf, -0.1])
def test_what_is_no_rate(value):
    required = r"`rate` must be a finite number >= 0. Received: rate="
    with pytest.raises(ValueError, match=required):
        checks.RATE("rate", value)


@pytest.mark.parametrize(
    "kind, good, bad, says",
    [
        (checks.Number(minimum=0), 0, -1e-9, ">= 0"),
        (checks.Number(above=0), 1e-9, 0, "> 0"),
        (checks.Number(maximum=1), 1, 1.1, "<= 1"),
        (checks.Number(below=1), 0.9, 1, "< 1"),
        (checks.Number(minimum=0, below=1), 0, 1, ">= 0 and < 1"),
        (checks.Number(minimum=1, integer=True), 1, 1.5, "an integer >= 1"),
        (checks.Number(integer=True), -7.0, 0.5, "an integer"),
    ],
)
def test_bounds(kind, good, bad, says):
    assert kind("x", good) == good
    with pytest.raises(ValueError, match=f"`x` must be .*{says}. Received: x={bad}"):
        kind("x", bad)


def test_integers_become_python_integers():
    assert type(checks.Number(integer=True)("n", np.float64(4.0))) is int


def test_choice():
    kind = checks.Choice(("a", "b"))
    assert kind("letter", "a") == "a"
    for bad in ("c", None, 1, ["a"]):
        with pytest.raises(ValueError, match="`letter` must be one of 'a', 'b'. Received: letter="):
            kind("letter", bad)


def test_flag():
    assert [checks.flag("f", value) for value in (True, False, 1, 0)] == [True, False, True, False]
    for bad in ("yes", 2, 0.5, None):
        with pytest.raises(ValueError, match="`f` must be True or False. Received: f="):
            checks.flag("f", bad)


def test_text():
    assert checks.text("name", None) is None
    with pytest.raises(ValueError, match="`name` must be a string. Received: name=1"):
        checks.text("name", 1)


def test_sequence_names_the_entry():
    assert checks.sequence("rates", np.array([1, 2]), checks.RATE) == (1.0, 2.0)
    with pytest.raises(ValueError, match=r"`rates\[1\]` must be a finite number >= 0. Received"):
        checks.sequence("rates", [0.1, -1], checks.RATE)


@pytest.mark.parametrize("bad", ["0.1", 0.1, None, {"a": 1}, []])
def test_what_is_no_sequence(bad):
    with pytest.raises(ValueError, match="`rates` must be a list.*Received: rates="):
        checks.sequence("rates", bad, checks.RATE)


def test_increasing():
    checks.increasing("boundaries", [1, 2, 5])
    for bad in ([1, 1], [2, 1]):
        with pytest.raises(ValueError, match="`boundaries` must be strictly increasing. Received"):
            checks.increasing("boundaries", bad)


def test_names_that_went(monkeypatch):
    module = types.ModuleType("changed")
    module.__getattr__ = checks.gone("changed", {"old": "Write `new` instead."})
    monkeypatch.setitem(sys.modules, "changed", module)
    message = "^`changed.old` is gone. Write `new` instead.$"
    with pytest.raises(ImportError, match=message):
        exec("from changed import old")
    with pytest.raises(ImportError, match=message):
        module.old  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'other' from 'changed'"):
        exec("from changed import other")
    with pytest.raises(AttributeError, match="^module 'changed' has no attribute 'other'$"):
        module.other  # noqa: B018
    assert not hasattr(module, "__wrapped__")
