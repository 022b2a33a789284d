"""Two tiers, one suite: the quick tier is `-m "not rest"`, what it leaves out is `-m rest`.

Compilation is what costs, not the number of tests. So what is marked `once` is in the quick tier of
one back end, and in the rest of the others: rows of a matrix beyond a cover, tests whose twins are
quick, and what does not depend on the back end. Marked `rest` are processes that are killed or
loaded anew, distribution, and the notebooks.
"""

import importlib.util
import itertools

import keras
import pytest

COLLECTED = pytest.StashKey()
rest = pytest.mark.rest
once = pytest.mark.once

# What does not depend on the back end: nothing here trains or compiles, or what is asked of it is
# decided before a rate reaches a step.
HOST_ONLY = {
    "tests/callbacks/test_backup_corners.py",
    "tests/callbacks/test_divergence.py",
    "tests/callbacks/test_fit_lengths.py",
    "tests/callbacks/test_hostile_arguments.py",
    "tests/callbacks/test_recovery_batches.py",
    "tests/callbacks/test_replaying.py",
    "tests/commands/test_diagnose.py",
    "tests/commands/test_plot.py",
    "tests/commands/test_rank.py",
    "tests/commands/test_schedule_text.py",
    "tests/diagnosis/test_curve_rules.py",
    "tests/diagnosis/test_early.py",
    "tests/diagnosis/test_experiment.py",
    "tests/diagnosis/test_plan_rules.py",
    "tests/diagnosis/test_reading.py",
    "tests/diagnosis/test_setup_rules.py",
    "tests/diagnosis/test_statistics.py",
    "tests/diagnosis/test_verdict.py",
    "tests/driving/test_damage.py",
    "tests/driving/test_resume_corners.py",
    "tests/finder/test_doubts.py",
    "tests/finder/test_result.py",
    "tests/finder/test_rules.py",
    "tests/finder/test_stopping.py",
    "tests/plotting/test_diagnosis.py",
    "tests/plotting/test_comparison.py",
    "tests/plotting/test_marks.py",
    "tests/plotting/test_record.py",
    "tests/plotting/test_schedules.py",
    "tests/plotting/test_what_if.py",
    "tests/project/test_faces.py",
    "tests/project/test_gallery.py",
    "tests/project/test_import.py",
    "tests/project/test_import_directions.py",
    "tests/project/test_links.py",
    "tests/project/test_keras_own.py",
    "tests/project/test_notebooks.py",
    "tests/project/test_pains.py",
    "tests/schedules/importers/test_importers.py",
    "tests/schedules/test_ahead.py",
    "tests/schedules/importers/test_torch.py",
    "tests/schedules/test_hostile_configs.py",
    "tests/schedules/test_keras_schedules.py",
    "tests/schedules/test_scaled.py",
    "tests/test_checks.py",
    "tests/test_explanation.py",
    "tests/test_files.py",
    "tests/test_linting.py",
    "tests/test_prediction.py",
    "tests/test_startup.py",
    "tests/test_traces.py",
}


def sort_into_tiers(items):
    """Adds the mark `rest` to what is `once` and was not collected on the back end for it."""
    # PyTorch compiles nothing unless it is asked to, so there it costs least.
    installed = [name for name in ("torch", "jax", "tensorflow") if importlib.util.find_spec(name)]
    if keras.config.backend() == installed[0]:
        return
    for item in items:
        if item.get_closest_marker("once") or item.nodeid.partition("::")[0] in HOST_ONLY:
            item.add_marker(rest)


def cells(full, quick):
    """Returns the rows of a matrix, with the mark `once` on those that are not in `quick`."""
    full = list(full)
    strangers = [row for row in quick if row not in full]
    if strangers:
        raise ValueError(f"`quick` must be rows of the matrix. Received: {strangers}")
    return [row if row in quick else _marked(row) for row in full]


def _marked(row):
    return pytest.param(*row if isinstance(row, tuple) else (row,), marks=once)


def matrix(*columns):
    """Returns the rows of all combinations, of which the diagonal is quick."""
    columns = [list(column) for column in columns]
    return cells(itertools.product(*columns), diagonal(*columns))


def diagonal(*columns):
    """Returns rows in which each value of each column occurs, as many as the longest column has."""
    columns = [list(column) for column in columns]
    length = max(map(len, columns))
    return [tuple(column[i % len(column)] for column in columns) for i in range(length)]
