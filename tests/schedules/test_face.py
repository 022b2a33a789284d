"""What `keras_lr.schedules` shows: names, signatures, and what went."""

import ast
import inspect
import pathlib
import runpy

import pytest

from keras_lr import schedules
from keras_lr.schedules import importers

PACKAGE = pathlib.Path(schedules.__file__).parent


def imported(path):
    """Returns the names that a package's `__init__.py` imports, modules aside."""
    imports = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.ImportFrom)]
    packages = ("keras_lr", "keras_lr.schedules")
    return {alias.name for n in imports if n.module not in packages for alias in n.names}


def test_all_is_what_is_imported():
    assert set(schedules.__all__) == imported(PACKAGE / "__init__.py")
    assert set(importers.__all__) == imported(PACKAGE / "importers" / "__init__.py")
    assert schedules.__all__ == sorted(schedules.__all__)


# `Duration` is a plain dataclass.
@pytest.mark.parametrize("name", sorted(set(schedules.__all__) - {"Duration"}))
def test_signatures_are_readable(name):
    public = getattr(schedules, name)
    parameters = inspect.signature(public).parameters.values()
    assert {p.annotation for p in parameters} <= {inspect.Parameter.empty}
    assert inspect.getdoc(public)


def test_signature():
    signature = "(initial_learning_rate, decay_steps, end_learning_rate=0.0, *, name='LinearDecay')"
    assert str(inspect.signature(schedules.LinearDecay)) == signature


def test_what_went_says_what_to_write():
    message = r"^`keras_lr.schedules.parse_schedule` is gone. .*write .*`schedules.get\(name, "
    with pytest.raises(ImportError, match=message):
        from keras_lr.schedules import parse_schedule  # noqa: F401
    with pytest.raises(ImportError, match=message):
        schedules.parse_schedule  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'parse'"):
        schedules.parse  # noqa: B018


def test_what_type_checkers_accept_runs():
    runpy.run_path(str(PACKAGE.parents[1] / "tests" / "typing" / "schedules_in_use.py"))
