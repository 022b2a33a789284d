"""`MomentumSchedule` and `WeightDecaySchedule`: other hyperparameters, on the clock of the rate.

Keras reads `momentum`, `beta_1` and `weight_decay` as Python numbers while a step is traced, and so
compiles constants: what a callback assigns has no effect on TensorFlow and JAX. Here the only
method of the optimizer that reads them is replaced, on the *object* and for the length of `fit`, by
one that computes the schedule at the optimizer's own counter, inside the step, and holds that
tensor in the place of the number while the method runs. At any other time the number is there: for
the config, for savers, and after the fit.
"""

import math

import keras
import numpy as np
from keras import ops, optimizers

from keras_lr import checks
from keras_lr.callbacks.base import StepCallback
from keras_lr.keras_private.optimizers import leaves
from keras_lr.schedules.coerce import as_schedule

_MOST_CHECKED = 10**5
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
# These ask in Python whether their momentum is 0, which a tensor in a graph cannot answer.
_ASKING = (optimizers.SGD, optimizers.RMSprop)


class HyperparameterSchedule(StepCallback):
    """The base of schedules for what Keras keeps as a plain number of the optimizer.

    `hyperparameter` is its name in errors, `limits` what its values must be, and `method` the
    optimizer's only method that reads it.
    """

    hyperparameter = None
    limits = checks.REAL
    method = None

    def __init__(self, schedule, *, steps_per_epoch=None):
        super().__init__(steps_per_epoch)
        self.planned = as_schedule("schedule", schedule)

    def attributes(self, optimizer):
        """Returns the attributes that the schedule replaces; raises where there are none."""
        raise NotImplementedError(f"{type(self).__name__} must define `attributes(optimizer)`.")

    def replacement(self, optimizer, value):
        """Returns what stands in the place of the number inside a step."""
        return value

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if sum(hook.method == self.method for hook in self.driver.hooks) > 1:
            raise ValueError(
                f"At most one {type(self).__name__} can be in a fit. Received: 2. Join the two "
                "schedules with `first.then(second, at=…)`."
            )
        for optimizer in leaves(self.model.optimizer):
            self.attributes(optimizer)
        self._check_values(self.driver.run.total_steps)

    def _check_values(self, total):
        if total is None:
            end = self.schedule.length
            total = _MOST_CHECKED if end is None else end + 1
        total = math.ceil(total)
        updates = np.linspace(0, total - 1, min(total, _MOST_CHECKED)).round()
        # In float32, as the step has them: there 0.99999999 is 1.
        values = self.schedule.rates(updates).astype("float32")
        for i in (values.argmin(), values.argmax()):
            self.limits(f"{self.hyperparameter}[{int(updates[i])}]", float(values[i]))

    # Called by the driver

    def install(self, rate):
        """Puts the schedule into the optimizer of this rate, on the same clock."""
        optimizer, numbers = rate.optimizer, {}
        method, attributes = getattr(optimizer, self.method), self.attributes(optimizer)

        def scheduled(*args):
            clock = ops.subtract(optimizer.iterations, rate.offset)
            value = self.replacement(optimizer, self.schedule(clock))
            held = vars(optimizer)
            for name in attributes:
                # Not anew: under `tf.distribute` one replica comes in before another is out.
                numbers.setdefault(name, held[name])
                held[name] = value
            try:
                return method(*args)
            finally:
                held.update(numbers)
                numbers.clear()

        # Past the optimizer's own `__setattr__`, which tracks what it is given.
        vars(optimizer)[self.method] = scheduled
        return True

    def remove(self, rate):
        """Takes the schedule out of the optimizer; returns whether it was there."""
        return vars(rate.optimizer).pop(self.method, None) is not None


class MomentumSchedule(HyperparameterSchedule):
    """Trains with a momentum that follows a schedule, such as one-cycle's mirrored one.

    In [0, 1) at every update of the fit, t counted and durations resolved as by `FitSchedule`. It
    takes the place of `momentum` in SGD and RMSprop, which must have been built with one > 0, of
    `beta_1` in Adam, AdamW, Adamax, Nadam, Lamb and Lion, and of both `momentum` and `adam_beta_1`
    in Muon; every optimizer of a `MultiOptimizer` must be one of these. ScheduleFreeAdamW is
    refused: it recovers its average x from the weights by dividing through β₁, and with another β₁
    than the one they were made with, it is off by (x − z)·(β₁(t − 1)/β₁(t) − 1) at every update.

    Each formula is Keras' own with the momentum of the update, μ(t): SGD's `m ← μ(t)·m − lr·g`;
    Adam's bias correction is `1 − μ(t)^(t+1)`, exact only where μ is constant, where `1 − Πμ`
    would be exact always; Nadam looks ahead with μ(t) and not μ(t + 1); Lion's μ weighs the
    direction alone, what it accumulates decays by `beta_2`.

    >>> import keras, numpy as np
    >>> from keras_lr.callbacks.hyperparameters import MomentumSchedule
    >>> from keras_lr.schedules import LinearDecay
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.set_weights([np.zeros((1, 1))])
    >>> model.compile(keras.optimizers.SGD(1.0, momentum=0.9), loss=lambda y, w: w)
    >>> momentum = MomentumSchedule(LinearDecay(0.5, "100%", 0.0))
    >>> x = y = np.ones((2, 1))
    >>> _ = model.fit(x, y, batch_size=1, callbacks=[momentum], verbose=0)
    >>> momentum.schedule  # m = -1, then 0.25 · (-1) - 1: the weight is -2.25
    LinearDecay(0.5, 2)
    >>> model.get_weights()[0].item(), model.optimizer.momentum
    (-2.25, 0.9)
    """

    hyperparameter = "momentum"
    limits = checks.Number(minimum=0, below=1)
    method = "_backend_update_step"

    def attributes(self, optimizer):
        found = (names for kind, names in _MOMENTUMS.items() if isinstance(optimizer, kind))
        attributes = next(found, None)
        if attributes is None:
            known = ", ".join(kind.__name__ for kind in _MOMENTUMS)
            raise ValueError(
                f"MomentumSchedule needs an optimizer with a momentum that may change: {known}, or "
                f"one derived from these. Received: {type(optimizer).__name__}"
            )
        if _keeps_no_momentum(optimizer):
            name = type(optimizer).__name__
            raise ValueError(
                f"MomentumSchedule needs {name} to be built with a momentum > 0, or it keeps none: "
                f"{name}(…, momentum=0.9). Received: momentum={optimizer.momentum!r}"
            )
        return attributes

    def replacement(self, optimizer, value):
        if isinstance(optimizer, optimizers.Nadam):
            # The only one that multiplies a variable by it and converts neither.
            return ops.cast(value, optimizer._u_product.dtype)
        if not isinstance(optimizer, _ASKING):
            return value
        # At a momentum of 0 what was accumulated is dropped; Keras would keep it for later.
        value = ops.maximum(value, float(np.finfo("float32").tiny))
        return value if keras.config.backend() == "torch" else _AboveZero(value)


class WeightDecaySchedule(HyperparameterSchedule):
    """Trains with a weight decay that follows a schedule: `w ← w − w · wd(t) · lr(t)`.

    At least 0 at every update of the fit, t counted and durations resolved as by `FitSchedule`. As
    Keras has it, the decay is multiplied by the learning rate, and so follows that one's schedule
    as well. Works with every optimizer that was built with a number as its `weight_decay`; Muon's
    `adam_weight_decay` follows too, unless it is None.

    >>> from keras_lr.callbacks.hyperparameters import WeightDecaySchedule
    >>> from keras_lr.schedules import LinearDecay
    >>> from keras_lr.schedules.durations import Run
    >>> decay = WeightDecaySchedule(LinearDecay(0.04, "50%"))
    >>> decay.build(Run(epochs=2, steps_per_epoch=4)).rates(5).tolist()
    [0.04, 0.03, 0.02, 0.01, 0.0]
    """

    hyperparameter = "weight_decay"
    limits = checks.RATE
    method = "_apply_weight_decay"

    def attributes(self, optimizer):
        names = ("weight_decay", "adam_weight_decay")
        found = [n for n in names if checks.as_number(vars(optimizer).get(n)) is not None]
        if not found:
            name = type(optimizer).__name__
            raise ValueError(
                f"WeightDecaySchedule needs {name} to be built with a number as its weight decay: "
                f"{name}(…, weight_decay=0.01). Received: weight_decay={optimizer.weight_decay!r}"
            )
        return found


def _keeps_no_momentum(optimizer):
    if not isinstance(optimizer, _ASKING):
        return False
    if not optimizer.built:
        return optimizer.momentum <= 0
    kept = optimizer.momentums if isinstance(optimizer, optimizers.SGD) else optimizer._momentums
    return not len(kept)


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
