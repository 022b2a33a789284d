"""Keras' own tests, from the installed package, with a single import changed to ours."""

import importlib.util
import pathlib

import pytest


def load(module, theirs, ours):
    """Returns the names of a test module of Keras in which the import line `theirs` is `ours`."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        pytest.skip("this Keras was installed without its tests", allow_module_level=True)
    source = pathlib.Path(spec.origin).read_text(encoding="utf-8")
    if source.count(theirs + "\n") != 1:
        raise AssertionError(f"{module} no longer says `{theirs}`: the tests would test Keras.")
    names = {"__name__": module, "__file__": spec.origin}
    exec(compile(source.replace(theirs + "\n", ours + "\n"), spec.origin, "exec"), names)
    return names
