"""Two tiers, one suite: the quick tier is `-m "not rest"`, what it leaves out is `-m rest`.

Compilation is what costs, not the number of tests. So the rest has the full matrices on back ends
that compile, tests that start processes of their own, and the notebooks; and on all back ends but
one what does not depend on the back end.
"""

import importlib.util
import itertools
import pathlib

import keras
import pytest

ROOT = pathlib.Path(__file__).parents[2]
COLLECTED = pytest.StashKey()
rest = pytest.mark.rest

# Nothing here trains or compiles. PyTorch has the shortest suite, so these make no tier longer.
HOST_ONLY = {
    "tests/commands/test_command_line.py",
    "tests/commands/test_schedule_text.py",
    "tests/diagnosis/test_divergence.py",
    "tests/diagnosis/test_statistics.py",
    "tests/finder/test_result.py",
    "tests/finder/test_rules.py",
    "tests/finder/test_stopping.py",
    "tests/plotting/test_marks.py",
    "tests/plotting/test_schedules.py",
    "tests/project/test_gallery.py",
    "tests/project/test_import.py",
    "tests/project/test_notebooks.py",
    "tests/test_checks.py",
    "tests/test_files.py",
    "tests/test_traces.py",
}


def host_backend():
    """Returns the back end whose quick tier has the host-only files."""
    installed = [n for n in ("torch", "jax", "tensorflow") if importlib.util.find_spec(n)]
    return installed[0]


def cells(full, quick):
    """Returns the rows of a matrix, with the mark `rest` on those that are not in `quick`.

    On PyTorch all are quick: there is nothing to compile.
    """
    full = list(full)
    strangers = [row for row in quick if row not in full]
    if strangers:
        raise ValueError(f"`quick` must be rows of the matrix. Received: {strangers}")
    if keras.config.backend() == "torch":
        return full
    return [row if row in quick else _marked(row) for row in full]


def _marked(row):
    return pytest.param(*row if isinstance(row, tuple) else (row,), marks=rest)


def matrix(*columns):
    """Returns the rows of all combinations, of which the diagonal is quick."""
    columns = [list(column) for column in columns]
    return cells(itertools.product(*columns), diagonal(*columns))


def diagonal(*columns):
    """Returns rows in which each value of each column occurs, as many as the longest column has."""
    columns = [list(column) for column in columns]
    length = max(map(len, columns))
    return [tuple(column[i % len(column)] for column in columns) for i in range(length)]
