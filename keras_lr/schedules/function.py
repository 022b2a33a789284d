"""Schedules from functions and tables, and the door through which foreign schedules come in."""

import functools
import types
import warnings
from typing import Annotated

import keras
import numpy as np
from keras import ops

from keras_lr import checks
from keras_lr.schedules import keras_schedules
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.decay import Constant
from keras_lr.schedules.evaluation import real
from keras_lr.schedules.fields import Rate, Rates

_IN_GRAPH_HINT = (
    "keras_lr: a compiled training step calls this function once, with a symbolic step. Write it "
    "with arithmetic and `keras.ops` only, or tabulate ordinary Python beforehand: "
    "`Tabulated.from_function(function, total_steps)`."
)


def _function(name, value):
    if not callable(value):
        checks.refuse(name, "a function of the step", value)
    return value


class LambdaDecay(Schedule):
    """Any function of the step: `initial_learning_rate * function(t)`.

    `function` gets t as a float or a tensor of floats (a Keras schedule gets integers), and has
    to make do with arithmetic and `keras.ops`, because a compiled step calls it once only, to
    trace it: what draws random numbers or looks at a clock inside is frozen at its first value.
    `Tabulated.from_function` takes ordinary Python. A named function under
    `keras.saving.register_keras_serializable()` is saved with the model; a bare lambda trains,
    and saving it warns that it cannot be loaded safely.

    >>> from keras_lr.schedules import LambdaDecay
    >>> LambdaDecay(0.1, lambda t: 1 / (1 + t)).rates(3).round(4).tolist()
    [0.1, 0.05, 0.0333]
    """

    initial_learning_rate: Rate
    function: Annotated[types.FunctionType, _function]

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
            return self.function(t)
        except Exception as error:
            error.add_note(_IN_GRAPH_HINT)
            # TensorFlow's AutoGraph would raise a copy instead, without the note.
            error.ag_pass_through = True
            vars(error).pop("ag_error_metadata", None)
            raise

    def _on_arrays(self, t):
        t = np.asarray(t, "int64" if self._takes_integers else "float64")
        if t.ndim == 0:
            return _as_array(self.function(t.item()))
        try:
            values = _as_array(self.function(t))
            return np.broadcast_to(values, t.shape)
        except Exception:
            # Ordinary Python (`if t < 10`) knows scalars only; an error of its own comes again.
            values = [_as_array(self.function(step)) for step in t.ravel().tolist()]
            return np.array(values).reshape(t.shape)


def _as_array(value):
    return np.asarray(ops.convert_to_numpy(value), dtype="float64")


def warn_unless_loadable(function):
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


class Tabulated(Schedule):
    """A table: `values[t]`, the last one held for ever after.

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
    def from_function(cls, function, total_steps):
        """Returns the table of `function(0)` … `function(total_steps - 1)`: any Python will do.

        >>> from keras_lr.schedules import Tabulated
        >>> Tabulated.from_function(lambda step: 0.1 if step < 2 else 0.01, 4)
        Tabulated((0.1, 0.1, 0.01, 0.01))
        """
        count = checks.Number(minimum=1, integer=True)("total_steps", total_steps)
        return cls([_as_array(_function("function", function)(step)) for step in range(count)])


def as_schedule(name, value):
    """Returns any schedule as one of ours: Keras' own, a function of the step, or a number."""
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


def as_term(name, value):
    """Returns a summand or factor: a schedule, or any finite number, negative ones too."""
    number = checks.as_number(value)
    return as_schedule(name, value) if number is None else checks.REAL(name, number)


Nested = Annotated[Schedule, as_schedule]
Nesteds = Annotated[tuple, functools.partial(checks.sequence, kind=as_schedule)]
Terms = Annotated[tuple, functools.partial(checks.sequence, kind=as_term)]
