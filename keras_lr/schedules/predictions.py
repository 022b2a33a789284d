"""Predictions about anything that can be a schedule."""

import functools
from collections.abc import Mapping

from keras_lr import checks, prediction
from keras_lr.schedules.coerce import as_schedule


@functools.wraps(prediction.bound)
def bound(schedule, *arguments, **options):
    """Bounds whatever `as_schedule` takes; prediction, which lies below, knows only ours."""
    return prediction.bound(_known("schedule", schedule), *arguments, **options)


@functools.wraps(prediction.rank)
def rank(schedules, *arguments, **options):
    """Ranks whatever `as_schedule` takes."""
    if isinstance(schedules, Mapping):
        known = {name: _known(f"schedules[{name!r}]", s) for name, s in schedules.items()}
    else:
        known = checks.sequence("schedules", schedules, _known)
    return prediction.rank(known, *arguments, **options)


def _known(name, schedule):
    return schedule if prediction.is_table(schedule) else as_schedule(name, schedule)
