"""The quick tier has each case, kind, mode, schedule and callback; the rest what it left out."""

import inspect
import types

import keras
import pytest
from support.effective_rates import CASES, OPTIMIZERS
from support.examples import SCHEDULES
from support.tiers import COLLECTED, HOST_ONLY, cells, diagonal

from keras_lr import callbacks

# For authors; what users name derives from these.
BASES = {"RateCallback", "StepCallback", "Controller", "ProgressController"}


@pytest.fixture
def everything(request):
    """All tests that were collected, before any selection."""
    if request.config.args != request.config.getini("testpaths"):
        pytest.skip("only the whole suite can be judged: `python -m tests -k tiers`")
    return request.config.stash[COLLECTED]


@pytest.fixture
def quick(everything):
    return [item for item in everything if not item.get_closest_marker("rest")]


def rows(items, test):
    """Returns the parameters of all rows of a test, named with its file."""
    return [item.callspec.params for item in items if item.nodeid.partition("[")[0] == test]


def named(function, seen):
    """Returns the names in a function's code, and in the functions of the tests that it calls."""
    seen.add(function)
    codes, names = [function.__code__], set()
    for code in codes:
        codes += [inner for inner in code.co_consts if isinstance(inner, types.CodeType)]
        names.update(code.co_names)
    called = [function.__globals__.get(name) for name in names]
    for other in called:
        is_ours = inspect.isfunction(other) and not other.__module__.startswith("keras")
        names |= named(other, seen) if is_ours and other not in seen else set()
    return names


def test_the_driver_matrix_has_each_case_kind_and_mode(everything, quick):
    name = "tests/driving/test_matrix.py::test_weights_move_by_base_times_factors"
    found, full = rows(quick, name), rows(everything, name)
    assert {row["case"] for row in found} == set(CASES)
    assert {row["kind"] for row in found} == set(OPTIMIZERS)
    assert {row["mode"] for row in found} == {row["mode"] for row in full}


def test_each_schedule_class_is_there(quick):
    for law in ("test_host_equals_oracle", "test_accelerator_equals_host"):
        found = rows(quick, f"tests/schedules/test_laws.py::{law}")
        classes = {type(row["example"].schedule) for row in found}
        assert classes == {type(example.schedule) for example in SCHEDULES}, law


def test_each_callback_class_is_there(quick):
    used = [type(one) for make_callbacks, _ in CASES.values() for one in make_callbacks()]
    names, seen = {one.__name__ for one in used}, set()
    for item in quick:
        function = getattr(item, "function", None)
        if inspect.isfunction(function) and function not in seen:
            names |= named(function, seen)
    public = {
        name
        for name, value in vars(callbacks).items()
        if inspect.isclass(value) and issubclass(value, keras.callbacks.Callback)
    }
    assert len(public - BASES) > 12 and public - BASES <= names


def test_nothing_is_lost(everything, quick):
    assert 0 < len(quick) < len(everything)
    notebooks = [item for item in everything if item.get_closest_marker("notebook")]
    assert all(item.get_closest_marker("rest") for item in notebooks)
    files = {item.nodeid.partition("::")[0] for item in everything}
    assert not HOST_ONLY - files, "no such files"


def test_cells_keep_all_rows_in_their_order():
    full = [(a, b) for a in "xyz" for b in "pq"]
    quick = diagonal("xyz", "pq")
    assert quick == [("x", "p"), ("y", "q"), ("z", "p")]
    marked = cells(full, quick)
    assert [getattr(row, "values", row) for row in marked] == full
    assert [row for row in marked if row in full] == quick
    with pytest.raises(ValueError, match=r"must be rows of the matrix. Received: \['w'\]"):
        cells("xyz", ["w"])
