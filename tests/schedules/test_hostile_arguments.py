"""Every argument of every schedule, with values that it does not expect."""

import inspect

import numpy as np
import pytest
from support import hostile

from keras_lr import schedules

CLASSES = sorted({getattr(schedules, name) for name in schedules.names().values()}, key=repr)
FLOAT32_MOST = float(np.finfo("float32").max)


@pytest.mark.parametrize("schedule_class", CLASSES, ids=lambda c: c.__name__)
def test_what_is_built_works_and_what_is_refused_is_named(schedule_class):
    built = 0
    for name, value, arguments in hostile.cases(schedule_class, seed=1, share=1.0):
        try:
            schedule = schedule_class(**arguments)
        except ValueError as error:
            message = str(error)
            assert "Received: " in message, (name, message)
            assert name in message or schedule_class.__name__ in message, (name, message)
            assert len(message) < 3_000
            continue
        built += 1
        works(schedule, name, value)
    assert built > 0


def works(schedule, name, value):
    assert schedule.name is None or isinstance(schedule.name, str), name
    assert repr(schedule).startswith(type(schedule).__name__) and hash(schedule) is not None
    if schedule._durations:
        return
    try:
        rates = schedule.rates([0, 1, 5, 1000])
    except ValueError as error:
        # What only a later step shows: a rate that has outgrown float32, a function's None.
        assert "Received: " in str(error), (name, error)
        return
    assert np.all(np.abs(rates) <= FLOAT32_MOST), (name, rates)
    if "LambdaDecay" not in repr(schedule):
        assert type(schedule).from_config(schedule.get_config()) == schedule, name


def test_every_schedule_is_tried():
    public = [c for c in vars(schedules).values() if inspect.isclass(c)]
    with_formula = {c for c in public if issubclass(c, schedules.Schedule)} - set(CLASSES)
    assert {c.__name__ for c in with_formula} <= {"Annealing", "Recipe", "Schedule"}
