"""`MomentumSchedule` and `WeightDecaySchedule`: other hyperparameters, on the clock of the rate."""

import math

import numpy as np

from keras_lr import checks
from keras_lr.callbacks.step_callback import StepCallback
from keras_lr.driving.contribution import Contribution
from keras_lr.keras_private import hyperparameters
from keras_lr.keras_private.optimizers import leaves
from keras_lr.keras_private.overrides import Overrides
from keras_lr.schedules.coerce import as_schedule, is_fixed

_MOST_CHECKED = 10**5


class HyperparameterSchedule(StepCallback):
    """The base of schedules for what Keras keeps as a plain number of the optimizer.

    `hyperparameter` is its name in errors, `limits` what its values must be, and `method` the
    optimizer's only method that reads it.
    """

    hyperparameter: str | None = None
    limits = checks.REAL
    method: str | None = None
    # It drives something else than the rate.
    logs_rate = False

    def __init__(
        self,
        schedule,
        *,
        steps_per_epoch=None,
        optimizer=None,
        across_fits=False,
        epochs=None,
        total_steps=None,
    ):
        super().__init__(steps_per_epoch, optimizer, across_fits, epochs, total_steps)
        self.planned = as_schedule("schedule", schedule)
        self._overrides = Overrides()

    @property
    def contribution(self):
        # It drives something else than the rate.
        return Contribution()

    def planned_contribution(self, run):
        self.build(run)
        return Contribution()

    def attributes(self, optimizer):
        """Returns the attributes that the schedule replaces; raises where there are none."""
        raise NotImplementedError(f"{type(self).__name__} must define `attributes(optimizer)`.")

    def replacement(self, optimizer, value):
        """Returns what stands in the place of the number inside a step."""
        return value

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if sum(getattr(c, "method", None) == self.method for c in self.driver.callbacks) > 1:
            raise ValueError(
                f"At most one {type(self).__name__} can be in a fit. Received: 2. Join the two "
                "schedules with `first.then(second, at=…)`."
            )
        for optimizer in leaves(self.model.optimizer):
            self.attributes(optimizer)
        self._check_values(self.horizon.of(self.driver.run).total_steps)

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

    def install(self, driven):
        optimizer, dial = driven.optimizer, driven.dial

        def value():
            return self.replacement(optimizer, self.schedule(dial.clock_in_step()))

        names = self.attributes(optimizer)
        hyperparameters.hold_in_step(self._overrides, optimizer, self.method, names, value)
        return (self.method, self.schedule) if is_fixed(self.schedule) else True

    def remove(self, driven):
        self._overrides.take_off(driven.optimizer)


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
    method = hyperparameters.MOMENTUM_METHOD

    def attributes(self, optimizer):
        names = hyperparameters.momentum_names(optimizer)
        if names is None:
            known = ", ".join(hyperparameters.MOMENTUM_OPTIMIZERS)
            raise ValueError(
                f"MomentumSchedule needs an optimizer with a momentum that may change: {known}, or "
                f"one derived from these. Received: {type(optimizer).__name__}"
            )
        if hyperparameters.keeps_no_momentum(optimizer):
            name = type(optimizer).__name__
            raise ValueError(
                f"MomentumSchedule needs {name} to be built with a momentum > 0, or it keeps none: "
                f"{name}(…, momentum=0.9). Received: momentum={optimizer.momentum!r}"
            )
        return names

    def replacement(self, optimizer, value):
        return hyperparameters.momentum_in_step(optimizer, value)


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
    method = hyperparameters.WEIGHT_DECAY_METHOD

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
