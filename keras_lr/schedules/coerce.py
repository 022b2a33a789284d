"""What may stand where a schedule is expected: ours, Keras' own, a function or a number."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import keras

from keras_lr import checks
from keras_lr.schedules import keras_schedules
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.decay import Constant
from keras_lr.schedules.function import LambdaDecay


def as_schedule(name, value) -> Schedule:
    """Returns a schedule of ours, made of Keras' own, a function of the step or a number."""
    if isinstance(value, Schedule):
        return value
    if checks.as_number(value) is not None:
        return Constant(value)
    keras_class = getattr(keras.optimizers.schedules, type(value).__name__, None)
    if keras_class is type(value):
        return getattr(keras_schedules, type(value).__name__)(**value.get_config())
    if callable(value) and not isinstance(value, type):
        return LambdaDecay(1.0, value)
    checks.refuse(name, "a schedule, a function of the step or a number", value)


def is_fixed(schedule):
    """Tells whether a schedule of ours is a value all through, and calls no function from outside.

    >>> is_fixed(Constant(0.1) * 0.5), is_fixed(LambdaDecay(0.1, lambda t: 1.0) * 0.5)
    (True, False)
    """
    if isinstance(schedule, LambdaDecay):
        return False
    if isinstance(schedule, Schedule):
        return all(is_fixed(getattr(schedule, f.name)) for f in dataclasses.fields(schedule))
    if isinstance(schedule, tuple):
        return not any(isinstance(each, Schedule) and not is_fixed(each) for each in schedule)
    return True


def as_term(name, value):
    """Returns a summand or a factor: a schedule, or a finite number of either sign."""
    number = checks.as_number(value)
    return as_schedule(name, value) if number is None else checks.REAL(name, number)


Like = Schedule | Callable[[Any], Any] | float
Nested = Annotated[Like, as_schedule]
Nesteds = Annotated[Sequence[Like], functools.partial(checks.sequence, kind=as_schedule)]
Terms = Annotated[Sequence[Like], functools.partial(checks.sequence, kind=as_term)]
