"""What may stand where a schedule is expected: ours, Keras' own, a function or a number."""

import dataclasses
import functools
import numbers
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import keras

from keras_lr import checks
from keras_lr.schedules import keras_schedules
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.decay import Constant
from keras_lr.schedules.function import LambdaDecay, takes_a_step


def as_schedule(name, value) -> Schedule:
    """Returns a schedule of ours, made of Keras' own, a function of the step or a number.

    Keras trains with arguments that we refuse, such as a `decay_rate` of 0 or a negative end. A
    schedule with those is taken as it is: as a function of the step.
    """
    try:
        return as_part(name, value)
    except ValueError:
        if _keras_name(value) is None:
            raise
        return LambdaDecay(1.0, value)


def as_part(name, value):
    """Returns a part of a composition: what `as_schedule` takes, with arguments that we take."""
    if isinstance(value, Schedule):
        return value
    if checks.as_number(value) is not None:
        return Constant(checks.RATE(name, value))
    if _keras_name(value) is not None:
        return getattr(keras_schedules, _keras_name(value))(**value.get_config())
    if not callable(value) or isinstance(value, type) or not takes_a_step(value):
        checks.refuse(name, "a schedule, a function of the step or a number", value)
    if type(value) is keras.optimizers.schedules.LearningRateSchedule:
        checks.refuse(name, "a schedule with a formula, not the base class of Keras'", value)
    return LambdaDecay(1.0, value)


def _keras_name(value):
    """Returns the name of the class of one of Keras' own schedules; None for anything else."""
    name = type(value).__name__
    is_own = getattr(keras.optimizers.schedules, name, None) is type(value)
    return name if is_own and hasattr(keras_schedules, name) else None


def works_in_integers(value):
    """Tells whether something is one of Keras' schedules with an integer as its first rate.

    Keras works in the type of that rate, and rounds what else is given to it.
    """
    if _keras_name(value) is None:
        return False
    given = value.get_config()
    first = given.get("initial_learning_rate", given.get("values"))
    rates = first if isinstance(first, (list, tuple)) else [first]
    return any(isinstance(rate, numbers.Integral) for rate in rates)


def as_applied(value):
    """Returns the schedule of an optimizer as Keras evaluates it, which may not be what was meant.

    >>> given = keras.optimizers.schedules.InverseTimeDecay(1, 2, 0.5)
    >>> as_schedule("given", given).rate_at(4), as_applied(given).rate_at(4)
    (0.5, 1.0)
    """
    return LambdaDecay(1.0, value) if works_in_integers(value) else as_schedule("value", value)


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
    return as_part(name, value) if number is None else checks.REAL(name, number)


Like = Schedule | Callable[[Any], Any] | float
Nested = Annotated[Like, as_part]
Nesteds = Annotated[Sequence[Like], functools.partial(checks.sequence, kind=as_part)]
Terms = Annotated[Sequence[Like], functools.partial(checks.sequence, kind=as_term)]
