"""The rate as others read it during a fit: a logger finds the one that was applied."""

import keras
import numpy as np
from keras import ops

from keras_lr.schedules.evaluation import is_being_traced, result_dtype


class RateAsRead:
    """What an optimizer is asked for its rate: in an update `in_step`, else the number of `read`.

    Keras' property `learning_rate` goes the same way as the update itself. At the end of a batch or
    an epoch the counter is one ahead, and a function of it would tell the next update's rate.
    """

    def __init__(self, optimizer, in_step, read):
        self._optimizer, self._in_step, self._read = optimizer, in_step, read
        self._update, self._is_updating = optimizer.apply, False

    def apply(self, *arguments, **options):
        """Makes an update, in the place of the optimizer's own method."""
        self._is_updating = True
        result = self._update(*arguments, **options)
        self._is_updating = False
        return result

    def __call__(self):
        if self._is_updating or is_being_traced(self._optimizer.iterations):
            return self._in_step()
        return _scalar(self._read())


class _Number(np.float64):
    """A float64 that has the method by which strangers read what Keras keeps as a variable."""

    def numpy(self):
        """Returns it."""
        return np.float64(self)


def _scalar(rate):
    if keras.config.backend() == "jax":
        # Its arrays have no `numpy`, unlike the variable that is there without a driven rate.
        return _Number(rate)
    with keras.device("cpu"):
        return ops.convert_to_tensor(rate, dtype=result_dtype())
