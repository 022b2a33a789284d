"""Values that somebody writes into a variable of an optimizer: noticed when they are written.

On TensorFlow and PyTorch such a value counts from the next step on. JAX' trainer hands its own copy
of all variables from step to step, and reads them anew only after it has written its copy back, as
it does when `Callback.model` is read: what is written at other times is lost.
"""

import sys
from collections.abc import Callable

import keras
from keras.src.backend.common.stateless_scope import in_stateless_scope

from keras_lr.keras_private.fit_call import is_called_by
from keras_lr.keras_private.optimizers import has_rate_variable, own_rate, read


def watch_rate(overrides, model, optimizer, written: Callable, written_in_step: Callable):
    """Has `written()` called after every number that counts in the rate variable of an optimizer.

    `written_in_step()` is called where a training step writes it: what, nobody can tell here.
    """
    if not has_rate_variable(optimizer):
        return
    variable = own_rate(optimizer)
    plain = _plain(variable, "assign")

    def assign(value):
        result = plain(value)
        if _is_in_step():
            # There an optimizer that accumulates writes all its variables.
            if not is_called_by("keras.src.backend.jax.optimizer"):
                written_in_step()
        elif _counts(model()):
            written()
        return result

    overrides.put(variable, "assign", assign)


def watch_counter(overrides, model, optimizer, around: Callable):
    """Has `around(write, count)` called where somebody sets the counter, to do it by `write()`."""
    variable = optimizer._iterations
    plain = _plain(variable, "assign")

    def assign(value):
        if _is_in_step() or not _counts(model()):
            return plain(value)
        around(lambda: plain(value), int(read(keras.ops.convert_to_tensor(value))))
        return variable.value

    overrides.put(variable, "assign", assign)
    # As the optimizer counts.
    overrides.put(variable, "assign_add", lambda value: plain(variable + value))


def _plain(variable, name):
    return getattr(type(variable), name).__get__(variable)


def _counts(model):
    """Tells whether the next training step will see what is in the variables now."""
    if keras.config.backend() != "jax" or model is None or model._jax_state_synced:
        return True
    # A validation has a copy of its own, without the optimizer's variables.
    return not (getattr(model, "_jax_state", None) or {}).get("optimizer_variables")


def _is_in_step():
    """Tells whether this is a part of a training step that is being compiled, or is a function."""
    if keras.config.backend() == "tensorflow" and sys.modules["tensorflow"].inside_function():
        return True
    return in_stateless_scope()
