"""The kinds of fields that a schedule has: how values are checked, saved and converted.

A field's annotation is what type checkers accept, and carries the check: `decay_steps: Length` is
a positive number of updates or a duration, checked and normalised when the schedule is built.
"""

import dataclasses
import functools
import types
import typing
import warnings
from collections.abc import Sequence
from typing import Annotated

import keras
import numpy as np

from keras_lr import checks
from keras_lr.schedules import durations

_Span = float | str | durations.Duration

Rate = Annotated[float, checks.RATE]
Real = Annotated[float, checks.REAL]
Positive = Annotated[float, checks.POSITIVE]
Rates = Annotated[
    Sequence[float] | np.ndarray, functools.partial(checks.sequence, kind=checks.CALCULATED_RATE)
]
Flag = Annotated[bool, checks.flag]
Text = Annotated[str | None, checks.text]
Length = Annotated[_Span, durations.Length()]
Steps = Annotated[_Span, durations.Length(integer=True)]
StepsFromZero = Annotated[_Span, durations.Length(integer=True, minimum=0)]
Milestones = Annotated[Sequence[_Span] | np.ndarray, durations.Milestones()]
Periods = Annotated[Sequence[_Span], functools.partial(checks.sequence, kind=Steps.__metadata__[0])]
# A part of a recipe: its percentages are of the recipe's own length.
Part = Annotated[_Span, durations.OwnLength()]


@functools.cache
def kinds(schedule_class):
    """Returns the check of each field of a schedule class, by name."""
    hints = typing.get_type_hints(schedule_class, include_extras=True)
    return {f.name: _check_of(hints[f.name]) for f in dataclasses.fields(schedule_class)}


def _check_of(hint):
    if hasattr(hint, "__metadata__"):
        return hint.__metadata__[0]
    options = typing.get_args(hint)
    if len(options) == 2 and types.NoneType in options:
        return functools.partial(_unless_none, _check_of(options[0]))
    return _plain


def _unless_none(check, name, value):
    return None if value is None else check(name, value)


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
        _warn_unless_loadable(value)
    return keras.saving.serialize_keras_object(value)


def _warn_unless_loadable(function):
    """Warns if a model saved with `function` could not be loaded again without help."""
    try:
        serialized = keras.saving.serialize_keras_object(function)
        loadable = keras.saving.deserialize_keras_object(serialized) is function
    except Exception:
        loadable = False
    if not loadable:
        is_lambda = function.__name__ == "<lambda>"
        condition = "safe_mode=False" if is_lambda else "custom_objects"
        warnings.warn(
            f"The function `{function.__name__}` of a LambdaDecay is not registered with Keras: "
            f"what is saved now loads only with `{condition}`. Give it a name and the decorator "
            "`@keras.saving.register_keras_serializable()`, or save its values instead: "
            "`Tabulated.from_function(function, total_steps)`.",
            stacklevel=2,
        )


def _entries(schedule):
    return {f.name: getattr(schedule, f.name) for f in dataclasses.fields(schedule)}


def durations_in(value):
    """Yields every duration that needs the length of the run, at any depth."""
    if isinstance(value, durations.Share):
        return
    if isinstance(value, durations.Duration):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from durations_in(entry)
    elif isinstance(value, durations.HasDurations):
        yield from durations_in(tuple(_entries(value).values()))


def holds_function(value):
    """Tells whether there is a function of a user in a schedule, at any depth."""
    if isinstance(value, tuple):
        return any(map(holds_function, value))
    if isinstance(value, durations.HasDurations):
        return any(map(holds_function, _entries(value).values()))
    return callable(value)


def resolved(value, run):
    """Returns `value` with every duration, at any depth, in updates of `run`."""
    if isinstance(value, durations.Duration) and not isinstance(value, durations.Share):
        return value.in_updates(run)
    if isinstance(value, tuple):
        return tuple(resolved(entry, run) for entry in value)
    if isinstance(value, durations.HasDurations):
        entries = {name: resolved(entry, run) for name, entry in _entries(value).items()}
        return dataclasses.replace(value, **entries)
    return value
