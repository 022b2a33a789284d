"""Numbers that Keras' optimizers compile into the step, held there as tensors instead.

Keras reads `momentum`, `beta_1` and `weight_decay` as Python numbers while a step is traced, and so
compiles constants: what a callback assigns has no effect on TensorFlow and JAX. Here the only
method of the optimizer that reads them is replaced, on the *object* and for the length of `fit`, by
one that holds a tensor in the place of the number while the method runs. At any other time the
number is there: for the config, for savers, and after the fit.
"""

import keras
import numpy as np
from keras import ops, optimizers

MOMENTUM_METHOD, WEIGHT_DECAY_METHOD = "_backend_update_step", "_apply_weight_decay"
"""The only methods of an optimizer that read its momentum and its weight decay."""
# What each optimizer calls its momentum; a subclass is taken for what it derives from.
_MOMENTUMS = {
    optimizers.SGD: ("momentum",),
    optimizers.RMSprop: ("momentum",),
    optimizers.Adam: ("beta_1",),
    optimizers.Adamax: ("beta_1",),
    optimizers.Nadam: ("beta_1",),
    optimizers.Lamb: ("beta_1",),
    optimizers.Lion: ("beta_1",),
    optimizers.Muon: ("momentum", "adam_beta_1"),
}
MOMENTUM_OPTIMIZERS = tuple(kind.__name__ for kind in _MOMENTUMS)
"""The optimizers that have a momentum which may change."""
# These ask in Python whether their momentum is 0, which a tensor in a graph cannot answer.
_ASKING = (optimizers.SGD, optimizers.RMSprop)


def hold_in_step(overrides, optimizer, method, attributes, value):
    """Has `method` find `value()` in the place of some attributes, each time that it runs."""
    plain, numbers = getattr(optimizer, method), {}

    def with_values(*args):
        tensor, held = value(), vars(optimizer)
        for name in attributes:
            # Not anew: under `tf.distribute` one replica comes in before another is out.
            numbers.setdefault(name, held[name])
            held[name] = tensor
        try:
            return plain(*args)
        finally:
            held.update(numbers)
            numbers.clear()

    overrides.put(optimizer, method, with_values)


def momentum_names(optimizer):
    """Returns what an optimizer calls its momentum; None if it has none that may change."""
    found = (names for kind, names in _MOMENTUMS.items() if isinstance(optimizer, kind))
    return next(found, None)


def keeps_no_momentum(optimizer):
    """Tells whether an optimizer was built without momentum, and so has no variables for it."""
    if not isinstance(optimizer, _ASKING):
        return False
    if not optimizer.built:
        return optimizer.momentum <= 0
    kept = optimizer.momentums if isinstance(optimizer, optimizers.SGD) else optimizer._momentums
    return not len(kept)


def momentum_in_step(optimizer, value):
    """Returns the tensor that stands for a momentum inside a step."""
    if isinstance(optimizer, optimizers.Nadam):
        # The only one that multiplies a variable by it and converts neither.
        return ops.cast(value, optimizer._u_product.dtype)
    if not isinstance(optimizer, _ASKING):
        return value
    # At a momentum of 0 what was accumulated is dropped; Keras would keep it for later.
    value = ops.maximum(value, float(np.finfo("float32").tiny))
    return value if keras.config.backend() == "torch" else _AboveZero(value)


class _AboveZero:
    """A tensor that is known to be > 0 while the step is traced."""

    def __init__(self, tensor):
        self.tensor, self.dtype = tensor, tensor.dtype

    def __gt__(self, other):
        return True

    __ne__ = __gt__

    def __tf_tensor__(self, dtype=None, name=None):
        return ops.cast(self.tensor, dtype or self.dtype)

    def __jax_array__(self):
        return self.tensor
