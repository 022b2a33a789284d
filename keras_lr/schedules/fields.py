"""The kinds of fields a schedule has, and how their values travel: checks, configs, durations.

A field's annotation carries its check: `decay_steps: Length` is a positive number of updates or
a duration, checked and normalised when the schedule is built.
"""

import dataclasses
import functools
import types
import typing
from typing import Annotated

import keras

from keras_lr import checks
from keras_lr.schedules import durations

Rate = Annotated[float, checks.RATE]
Real = Annotated[float, checks.REAL]
Positive = Annotated[float, checks.POSITIVE]
Rates = Annotated[tuple, functools.partial(checks.sequence, kind=checks.RATE)]
Flag = Annotated[bool, checks.flag]
Text = Annotated[str, checks.text]
Length = Annotated[float, durations.Length()]
Steps = Annotated[int, durations.Length(integer=True)]
StepsFromZero = Annotated[int, durations.Length(integer=True, minimum=0)]
Milestones = Annotated[tuple, durations.Milestones()]
Periods = Annotated[tuple, functools.partial(checks.sequence, kind=durations.Length(integer=True))]
# Of a recipe: its percentages are of the recipe's own length.
Part = Annotated[int, durations.OwnLength()]


def optional(kind):
    """Returns `kind`, None allowed."""
    check = kind.__metadata__[0]

    def check_unless_none(name, value):
        return None if value is None else check(name, value)

    return Annotated[kind.__origin__ | None, check_unless_none]


@functools.cache
def kinds(schedule_class):
    """Returns the check of each field of a schedule class, by name."""
    hints = typing.get_type_hints(schedule_class, include_extras=True)
    return {
        field.name: getattr(hints[field.name], "__metadata__", (_plain,))[0]
        for field in dataclasses.fields(schedule_class)
    }


def _plain(name, value):
    # A field without a check: lists become tuples, so that a config read from JSON is equal.
    return tuple(value) if isinstance(value, list) else value


def to_config(value):
    """Returns a field's value as JSON can hold it."""
    if isinstance(value, durations.Duration):
        return str(value)
    if isinstance(value, tuple):
        return [to_config(entry) for entry in value]
    if isinstance(value, types.FunctionType):
        from keras_lr.schedules.function import warn_unless_loadable

        warn_unless_loadable(value)
    return keras.saving.serialize_keras_object(value)


def _is_ours(value):
    from keras_lr.schedules.base import Schedule

    return isinstance(value, Schedule)


def _entries(schedule):
    return {f.name: getattr(schedule, f.name) for f in dataclasses.fields(schedule)}


def durations_in(value):
    """Yields every duration that only the run can resolve, at any depth."""
    if isinstance(value, durations.Share):
        return
    if isinstance(value, durations.Duration):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from durations_in(entry)
    elif _is_ours(value):
        yield from durations_in(tuple(_entries(value).values()))


def resolved(value, run):
    """Returns `value` with every duration, at any depth, in updates of `run`."""
    if isinstance(value, durations.Duration) and not isinstance(value, durations.Share):
        return value.in_updates(run)
    if isinstance(value, tuple):
        return tuple(resolved(entry, run) for entry in value)
    if _is_ours(value):
        entries = {name: resolved(entry, run) for name, entry in _entries(value).items()}
        return dataclasses.replace(value, **entries)
    return value
