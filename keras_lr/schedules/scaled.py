"""A schedule times a number, of the same class where the class is Keras' own."""

import warnings

import keras
from keras.optimizers.schedules import LearningRateSchedule

from keras_lr.schedules import keras_schedules
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.coerce import as_schedule
from keras_lr.schedules.decay import Constant

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
