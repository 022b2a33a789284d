"""Schedules from functions of the step and from tables of rates."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import keras
import numpy as np
from keras import ops

from keras_lr import checks
from keras_lr.schedules.base import Named
from keras_lr.schedules.evaluation import real
from keras_lr.schedules.fields import Rate, Rates

_IN_GRAPH_HINT = (
    "keras_lr: a compiled training step calls this function once, with a symbolic step. Write it "
    "with arithmetic and `keras.ops` only, or tabulate ordinary Python beforehand: "
    "`Tabulated.from_function(function, total_steps)`."
)


def _function(name, value):
    base = keras.optimizers.schedules.LearningRateSchedule
    if not callable(value) or type(value) is base or not takes_a_step(value):
        checks.refuse(name, "a function of the step", value)
    return value


def takes_a_step(function):
    """Tells whether a function can be called with one argument."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # Some that are written in C have none.
        return True
    try:
        signature.bind(0)
    except TypeError:
        return False
    return True


class LambdaDecay(Named):
    """Any function of the step: `initial_learning_rate * function(t)`.

    `function` gets t as a float or a tensor of floats (a Keras schedule gets integers). It may use
    arithmetic and `keras.ops` only, because a compiled step calls it once, to trace it: a random
    number or the time, read inside, stays at its first value. For ordinary Python use
    `Tabulated.from_function`. A named function registered by
    `keras.saving.register_keras_serializable()` is saved with the model; with a bare lambda you
    can train, but saving it warns that it cannot be loaded safely.

    >>> from keras_lr.schedules import LambdaDecay
    >>> LambdaDecay(0.1, lambda t: 1 / (1 + t)).rates(3).round(4).tolist()
    [0.1, 0.05, 0.0333]
    """

    initial_learning_rate: Rate
    function: Annotated[Callable[[Any], Any], _function]

    def rate(self, t, xp):
        return self.initial_learning_rate * (
            self._on_arrays(t) if xp is np else real(self._in_graph(t), ops)
        )

    @property
    def _takes_integers(self):
        # As Keras calls its schedules, which may index a table with the step.
        return isinstance(self.function, keras.optimizers.schedules.LearningRateSchedule)

    def _in_graph(self, t):
        t = ops.cast(t, "int32") if self._takes_integers else real(t, ops)
        try:
            value = self.function(t)
        except Exception as error:
            error.add_note(_IN_GRAPH_HINT)
            # TensorFlow's AutoGraph would raise a copy instead, without the note.
            error.ag_pass_through = True
            vars(error).pop("ag_error_metadata", None)
            raise
        if not ops.is_tensor(value) and not isinstance(value, keras.Variable):
            # Not a tensor, whose value nobody knows yet: a number, the same at every step.
            self._require_numbers("a symbolic step", value, _as_array(value))
        return value

    def _on_arrays(self, t):
        t = np.asarray(t, "int64" if self._takes_integers else "float64")
        if t.ndim == 0:
            return self.at(t.item())
        try:
            values = _as_array(self.function(t))
            if values is not None and np.all(np.isfinite(values)):
                return np.broadcast_to(values, t.shape)
        except Exception:
            # Ordinary Python (`if t < 10`) takes scalars only.
            pass
        # One by one, a real error is raised again, and what is no number has its step.
        return np.array([self.at(step) for step in t.ravel().tolist()]).reshape(t.shape)

    def at(self, step):
        """Returns what the function returns for a step, a number; anything else is refused."""
        value = self.function(step)
        return self._require_numbers(f"step {step:g}", value, _as_array(value))

    def _require_numbers(self, where, value, numbers):
        if numbers is None or numbers.ndim > 0 or not np.isfinite(numbers):
            name = getattr(self.function, "__name__", None) or checks.shown(self.function)
            raise ValueError(
                f"`function` must return a finite number for each step. Received: "
                f"{checks.shown(value)} from {name} at {where}"
            )
        return numbers


def _as_array(value):
    """Returns what a function returned as an array; None if that is not made of numbers."""
    try:
        numbers = np.asarray(ops.convert_to_numpy(value))
    except Exception:
        return None
    return None if numbers.dtype.kind in "OUSMmc" else numbers.astype("float64")


class Tabulated(Named):
    """A table of rates: `values[t]`; the last one is held for ever.

    >>> from keras_lr.schedules import Tabulated
    >>> Tabulated([0.1, 0.2, 0.05]).rates(5).tolist()
    [0.1, 0.2, 0.05, 0.05, 0.05]
    """

    values: Rates

    def rate(self, t, xp):
        index = xp.clip(t, 0, self.length)
        index = index.astype("int64") if xp is np else ops.cast(index, "int32")
        return xp.take(real(self._table, xp), index)

    @property
    def length(self):
        return len(self.values) - 1

    @functools.cached_property
    def _table(self):
        return np.asarray(self.values)

    @classmethod
    def from_function(cls, function, total_steps) -> "Tabulated":
        """Returns the table of `function(0)` … `function(total_steps - 1)`, any Python function.

        >>> from keras_lr.schedules import Tabulated
        >>> Tabulated.from_function(lambda step: 0.1 if step < 2 else 0.01, 4)
        Tabulated((0.1, 0.1, 0.01, 0.01))
        """
        count = checks.COUNT("total_steps", total_steps)
        ask = LambdaDecay(1.0, function).at
        return cls([float(ask(step)) for step in range(count)])
