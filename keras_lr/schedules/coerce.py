"""What may stand where a schedule is expected: ours, Keras' own, a function or a number."""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

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


# What has to be multiplied in each of Keras' classes: the rest is relative, or no rate.
_SCALED = {
    "ExponentialDecay": ("initial_learning_rate",),
    "InverseTimeDecay": ("initial_learning_rate",),
    "PolynomialDecay": ("initial_learning_rate", "end_learning_rate"),
    "CosineDecay": ("initial_learning_rate", "warmup_target"),
    "CosineDecayRestarts": ("initial_learning_rate",),
    "PiecewiseConstantDecay": ("values",),
}


def combined(schedule, scale, level):
    """Returns `scale · schedule + level`, of which one is 0, as a schedule that can be saved.

    One of Keras' own classes where `schedule` is, so that a file with it loads without keras_lr.

    >>> half = combined(keras.optimizers.schedules.ExponentialDecay(0.2, 10, 0.5), 0.5, 0.0)
    >>> type(half).__module__.split(".")[0], half.initial_learning_rate
    ('keras', 0.1)
    """
    is_from_keras = is_keras_schedule(schedule)
    if scale == 0.0:
        flat = keras.optimizers.schedules.PolynomialDecay
        return flat(level, 1, level, name="Constant") if is_from_keras else Constant(level)
    if scale == 1.0:
        return schedule
    if not is_from_keras:
        if isinstance(schedule, LearningRateSchedule) and not isinstance(schedule, Schedule):
            warnings.warn(
                f"From here on the optimizer has {type(schedule).__name__} times a factor, which "
                "is a schedule of keras_lr: a model that is saved whole now loads only where "
                "keras_lr is imported. (`save_weights` saves no schedule.)",
                stacklevel=2,
            )
        return as_schedule("learning_rate", schedule) * scale
    config = schedule.get_config()
    for name in _SCALED[type(schedule).__name__]:
        config[name] = _times(config[name], scale)
    return type(schedule)(**config)


def _times(value, scale):
    if isinstance(value, (list, tuple)):
        return [_times(entry, scale) for entry in value]
    return None if value is None else value * scale


def is_keras_schedule(value):
    """Tells whether a value is of one of the six classes of Keras itself."""
    name = type(value).__name__
    return name in _SCALED and type(value) is getattr(keras.optimizers.schedules, name)


def in_class_of(example, schedule):
    """Returns a schedule of ours in Keras' class of the same name, if `example` is from Keras."""
    name = type(schedule).__name__
    ours = getattr(keras_schedules, name, None) if name in _SCALED else None
    if not is_keras_schedule(example) or type(schedule) is not ours:
        return schedule
    config = schedule.get_config()
    # Which Keras' class does not have.
    if name == "ExponentialDecay" and config.pop("end_learning_rate") is not None:
        return schedule
    return getattr(keras.optimizers.schedules, name)(**config)


def as_term(name, value):
    """Returns a summand or a factor: a schedule, or a finite number of either sign."""
    number = checks.as_number(value)
    return as_schedule(name, value) if number is None else checks.REAL(name, number)


Like = Schedule | Callable[[Any], Any] | float
Nested = Annotated[Like, as_schedule]
Nesteds = Annotated[Sequence[Like], functools.partial(checks.sequence, kind=as_schedule)]
Terms = Annotated[Sequence[Like], functools.partial(checks.sequence, kind=as_term)]
