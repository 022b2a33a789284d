"""Keras' own tests, from the installed package, with a single import changed to ours.

All tests of schedules apply. Of those of the two callbacks one each does not: it demands an error
where the optimizer has a schedule, and here that works (test_driver_matrix.py).
"""

import importlib.util
import pathlib
import unittest

import pytest

from keras_lr import callbacks, schedules
from keras_lr.callbacks import scheduler


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


def cases(names):
    tests = {name: value for name, value in names.items() if isinstance(value, type)}
    return {name: case for name, case in tests.items() if issubclass(case, unittest.TestCase)}


OF_SCHEDULES = load(
    "keras.src.optimizers.schedules.learning_rate_schedule_test",
    "from keras.src.optimizers import schedules",
    "from keras_lr import schedules",
)
OF_PLATEAU = load(
    "keras.src.callbacks.reduce_lr_on_plateau_test",
    "from keras.src import callbacks",
    "from keras_lr import callbacks",
)
OF_SCHEDULER = load(
    "keras.src.callbacks.learning_rate_scheduler_test",
    "from keras.src import callbacks",
    "from keras_lr.callbacks import scheduler as callbacks",
)
OF_PLATEAU["ReduceLROnPlateauTest"].test_throws_when_optimizer_has_schedule = None
OF_SCHEDULER["LearningRateSchedulerTest"].test_throws_when_optimizer_has_schedule = None
globals().update(cases(OF_SCHEDULES) | cases(OF_PLATEAU) | cases(OF_SCHEDULER))


def test_they_test_our_classes():
    assert OF_SCHEDULES["schedules"] is schedules
    assert OF_PLATEAU["callbacks"] is callbacks
    assert OF_SCHEDULER["callbacks"] is scheduler
    assert len(cases(OF_SCHEDULES)) >= 8
    assert len(cases(OF_PLATEAU)) == len(cases(OF_SCHEDULER)) == 1
