"""Where a step can be read, and the types that formulas compute in on each back end.

`Schedule.__call__` decides with these. Numbers, and steps that can be read on the CPU, go to NumPy
in float64; symbolic steps, compiled ones and those on an accelerator go to `keras.ops`.
"""

import math

import keras
import numpy as np
from keras import ops

from keras_lr import checks


def real(value, xp):
    """Returns numbers as an array or tensor of the real type that formulas compute in.

    Tables of a formula need this: TensorFlow does not mix float32 with its float64 time.
    """
    return _as(value, "float64" if xp is np else _real_dtype(), xp)


def whole(value, xp):
    """Returns whole numbers of updates in the type of `t`, for exact comparisons with it."""
    return _as(value, "float64" if xp is np else _count_dtype(), xp)


def passed(milestones, t, xp, side="right"):
    """Returns how many milestones are <= t, or < t if `side` is "left"."""
    # TensorFlow searches vectors only.
    counts = xp.searchsorted(whole(milestones, xp), xp.reshape(t, (-1,)), side=side)
    return xp.reshape(counts, xp.shape(t))


def whole_periods(t, period, xp):
    """Returns how many whole periods have passed at t: `t // period`, right in compiled steps too.

    XLA multiplies floats by a rounded reciprocal, which makes 98 // 98 = 0; remainders are exact.
    """
    if xp is np or "int" in keras.backend.standardize_dtype(t.dtype):
        return t // period
    return xp.round((t - t % period) / period)


def power(base, exponent, xp):
    """Returns `base ** exponent`, accurate in float32 for large exponents too.

    0.9999 rounded to float32, to the power of 10,000, is wrong by 3e-4. The logarithm is taken
    in float64 first, and its exponential keeps the bits that matter.
    """
    if xp is np or base <= 0 or _real_dtype() == "float64":
        return base**exponent
    return xp.exp(math.log(base) * exponent)


def _as(value, dtype, xp):
    if xp is np:
        return np.asarray(value, dtype)
    # `torch.compile` traces short tables as tuples, if slowly, but breaks at NumPy arrays.
    convert = ops.convert_to_tensor if isinstance(value, tuple) else ops.cast
    return convert(value, dtype)


def result_dtype():
    """Returns the type of rates: float32, or float64 if floatx is so."""
    # Not half precision: 1e-8 is 0 in float16.
    return "float64" if keras.config.floatx() == "float64" else "float32"


def _real_dtype():
    # float64 where the back end has it: a float32 counter stops at 2²⁴.
    return "float64" if _has_float64() else result_dtype()


def _has_float64():
    if keras.config.backend() != "torch":
        return keras.config.backend() != "jax"
    import torch

    # Where there is an Apple GPU, Keras puts tensors on it, and it has no float64.
    return not torch.backends.mps.is_available()


def _count_dtype():
    return "int32" if _real_dtype() == "float32" else "float64"


def host_value(step):
    """Returns `step` as a float64 array, or None if it is on a device or being traced."""
    if isinstance(step, (int, float, np.ndarray, np.generic, list, tuple)):
        return np.asarray(step, dtype="float64")
    if step is None or isinstance(step, str):
        checks.refuse("step", "a number of updates or an array of them", step)
    value = step.value if isinstance(step, keras.Variable) else step
    value = _READERS[keras.config.backend()](value)
    return None if value is None else np.asarray(value, dtype="float64")


def host_count(counter):
    """Returns a variable that counts as an int, or None if it is on a device or being traced."""
    count = host_value(counter)
    return None if count is None else int(count)


def _read_tensorflow(value):
    import tensorflow as tf

    # Symbolic tensors have no `numpy`; that of a variable fails while a graph is built.
    if tf.executing_eagerly() and hasattr(value, "numpy") and _is_cpu(value.device):
        return value.numpy()


def _is_cpu(device):
    return "GPU" not in device and "TPU" not in device


def _read_jax(value):
    import jax

    if not isinstance(value, jax.Array) or isinstance(value, jax.core.Tracer):
        return None
    if value.is_fully_addressable and all(d.platform == "cpu" for d in value.devices()):
        return np.asarray(value)


def _read_torch(value):
    import torch

    if torch.compiler.is_compiling() or type(value) not in (torch.Tensor, torch.nn.Parameter):
        return None
    if value.device.type == "cpu":
        # NumPy knows no bfloat16, of which every number is a float32.
        value = value.float() if value.dtype == torch.bfloat16 else value
        return value.detach().numpy()


def is_being_traced(step):
    """Tells whether `step` stands for a number that is not known yet, as in a compiled step."""
    value = step.value if isinstance(step, keras.Variable) else step
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        return not tf.executing_eagerly()
    if keras.config.backend() == "jax":
        import jax

        return isinstance(value, jax.core.Tracer)
    import torch

    return torch.compiler.is_compiling()


_READERS = {"tensorflow": _read_tensorflow, "jax": _read_jax, "torch": _read_torch}


def in_graph(step):
    """Returns `step` as the exact `t` of the back end (see `Schedule`)."""
    t = ops.convert_to_tensor(step)
    fractional = "float" in keras.backend.standardize_dtype(t.dtype)
    return ops.cast(t, _real_dtype() if fractional else _count_dtype())


def require_rates(schedule, steps, rates):
    """Raises ValueError unless all rates are numbers that a step can hold."""
    wrong = ~(np.abs(rates) <= checks.FLOAT32_MOST)
    if np.any(wrong):
        step, rate = (np.broadcast_to(x, np.shape(wrong))[wrong][0] for x in (steps, rates))
        raise ValueError(
            f"{checks.shown(schedule)} must have rates that are numbers which float32 can hold. "
            f"Received: {rate} at update {step:g}"
        )
