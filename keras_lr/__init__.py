"""The learning-rate toolkit for Keras 3: choose a rate, drive it, explain what happened."""

from keras_lr import _startup, callbacks, schedules
from keras_lr._version import __version__
from keras_lr.callbacks import plot_what_if
from keras_lr.comparison import Comparison, compare
from keras_lr.explanation import Diagnosis, diagnose
from keras_lr.finder import RangeTest, range_test
from keras_lr.layerwise import discriminative
from keras_lr.linting import lint
from keras_lr.prediction import Bound, Ranking
from keras_lr.rates import get_rate, resume_at, set_rate
from keras_lr.scaling import (
    learning_rate_for_data_size,
    learning_rate_for_model,
    scale_learning_rate,
)
from keras_lr.schedules.pictures import plot_schedules
from keras_lr.schedules.predictions import bound, rank

__all__ = [
    "Bound",
    "Comparison",
    "Diagnosis",
    "RangeTest",
    "Ranking",
    "__version__",
    "bound",
    "callbacks",
    "compare",
    "diagnose",
    "discriminative",
    "get_rate",
    "learning_rate_for_data_size",
    "learning_rate_for_model",
    "lint",
    "plot_schedules",
    "plot_what_if",
    "range_test",
    "rank",
    "resume_at",
    "scale_learning_rate",
    "schedules",
    "set_rate",
]
