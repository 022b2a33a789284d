"""The rate of one optimizer during one fit: the only code that touches an optimizer.

Functions of the step are compiled into the training step as they are. They reach it through the
optimizer's `_get_current_learning_rate`, which every use of the rate goes through and which is
replaced, for the length of `fit`, on the optimizer *object*: its class, its variables and its
config stay the user's, so that a checkpoint written meanwhile has Keras' own layout.

What follows metrics changes seldom, between epochs, as `scale · base + level`:

* an optimizer built with a float has it written to its rate variable, which is live everywhere;
* for any other base it is a pair of variables that belong to no optimizer, live in the compiled
  step of TensorFlow and PyTorch. JAX would bake them in, so there a change builds the step anew.
  The optimizer's own schedule becomes `schedule * scale` at the same time: what is saved then
  continues at the rate that was applied.
"""

import keras
import numpy as np
from keras import ops

from keras_lr.driving.applied_rates import Ledger
from keras_lr.keras_private.optimizers import HOOK, multiplier_of
from keras_lr.schedules import Constant
from keras_lr.schedules.coerce import as_schedule
from keras_lr.schedules.evaluation import host_value

_LAST = "_keras_lr_last_schedule"


class OptimizerRate:
    """The rate of one optimizer during one fit."""

    def __init__(self, optimizer, fit_base, factors, first_update):
        self.optimizer = optimizer
        self.name = optimizer.name
        self.own = optimizer._learning_rate
        self.multiplier = multiplier_of(optimizer)
        if fit_base is not None and self.multiplier != 1.0:
            fit_base = fit_base * self.multiplier
        self.fit_base = fit_base
        self.factors = factors
        self.begin = self.updates_done()
        self.offset = self.begin - first_update
        self.dial = None
        self._ours = self.own
        self.initial = as_written(self.own) if self._has_variable else None
        # The base is taken as scale · base + level.
        self.scale, self.level = 1.0, 0.0
        self.begin_epoch()
        self.ledger = Ledger(self._base, factors, self.offset, *self._drawn())

    @property
    def _has_variable(self):
        return isinstance(self.own, keras.Variable)

    @property
    def _uses_variable(self):
        return self._has_variable and self.fit_base is None

    def updates_done(self, but=0):
        """Returns how many updates the optimizer has made, `but` so many batches."""
        every = self.optimizer.gradient_accumulation_steps or 1
        return (int(read(self.optimizer._iterations)) - but) // every

    def batches_counted(self):
        """Returns what Keras has counted so far: batches, also when they accumulate."""
        return int(read(self.optimizer._iterations))

    def begin_epoch(self):
        """Takes note of what there is when an epoch begins."""
        self._counted = self.batches_counted()
        self._dialled = [(self.scale, self.level)]

    def standing(self):
        """Returns what stands in the optimizer, and has since the epoch began, as JSON."""
        return {
            "base": self.initial,
            "scale": self.scale,
            "level": self.level,
            "dialled": [list(pair) for pair in self._dialled],
        }

    def clock(self):
        """Returns the t of the schedules of this fit at the next update."""
        return self.updates_done() - self.offset

    def move_epoch(self, batches):
        """Takes note that the count was moved, and with it where the epoch began."""
        self._counted += batches

    def counted_beyond(self, batches):
        """Tells whether Keras has counted one more than there were batches in the epoch."""
        return self.batches_counted() - self._counted == batches + 1

    def forget_updates_beyond(self, batches):
        """Takes one back if Keras has counted one more than there were batches in the epoch."""
        if self.counted_beyond(batches):
            self.optimizer._iterations.assign(self._counted + batches)

    def updates_made(self):
        """Returns the number of updates made in this fit."""
        return self.updates_done() - self.begin

    def install(self, model, follows_metrics):
        """Puts the rate into the optimizer; returns whether the training step must be rebuilt."""
        if follows_metrics and not self._uses_variable:
            self.dial = _Dial(model)
        if self.dial is None and self.fit_base is None and not self.factors:
            return False
        # Past the optimizer's own `__setattr__`, which tracks what it is given.
        self.optimizer.__dict__[HOOK] = self._applied
        return True

    def _applied(self):
        """Returns the rate; runs inside the training step, once per update or once per trace."""
        if self.fit_base is not None:
            rate = self.fit_base(self._clock())
        elif self.dial is not None:
            rate = self.own(self.optimizer._iterations)
        else:
            rate = getattr(type(self.optimizer), HOOK)(self.optimizer)
        if self.dial is not None:
            rate = ops.add(ops.multiply(rate, self.dial.scale), self.dial.level)
        for factor in self.factors:
            rate = ops.multiply(rate, factor(self._clock()))
        return rate

    def _clock(self):
        return ops.subtract(self.optimizer.iterations, self.offset)

    def set(self, scale, level):
        """Takes `scale · base + level` from the next update on; returns whether to rebuild."""
        level *= self.multiplier
        if (scale, level) == (self.scale, self.level):
            return False
        self.scale, self.level = scale, level
        self._dialled.append((scale, level))
        self.ledger.write(self.updates_done(), *self._drawn())
        if self._has_variable:
            self.optimizer.learning_rate = self._in_variable()
        else:
            self._ours = self.optimizer.learning_rate = combined(self.own, scale, level)
        return self.dial is not None and self.dial.set(scale, level)

    def _in_variable(self):
        return self.initial * self.scale + self.level

    def _drawn(self):
        # A variable holds the whole of its rate, whoever wrote it.
        return (0.0, self._in_variable()) if self._uses_variable else (self.scale, self.level)

    def may_be_stale(self):
        """Tells whether an earlier fit may have compiled another schedule than the one there is."""
        before = vars(self.optimizer).get(_LAST)
        vars(self.optimizer)[_LAST] = self.own
        return not self._has_variable and before is not self.own

    def was_overwritten(self):
        """Tells whether somebody else has written a rate, or assigned a schedule, since we did."""
        if self.optimizer._learning_rate is not self._ours:
            return True
        if not self._has_variable:
            return False
        # As the variable holds it: a rate is rounded to 3 digits where floatx is bfloat16.
        expected = keras.ops.cast(self._in_variable(), self.own.dtype)
        return not np.isclose(read(self.own), read(expected), rtol=1e-6, atol=0)

    def adopt_foreign_write(self):
        """Takes a rate that somebody else has written as the base; returns whether one had."""
        if not self.was_overwritten():
            return False
        if self.optimizer._learning_rate is not self._ours:
            self._ours = self.optimizer._learning_rate
            return True
        found = as_written(self.own)
        self.initial = found / self.scale if self.scale else self.initial
        self.level = self.level if self.scale else found
        self.ledger.write(self.updates_done(), *self._drawn())
        return True

    def remove(self):
        """Takes the step functions out again; returns whether there were any."""
        return self.optimizer.__dict__.pop(HOOK, None) is not None

    def at_next_update(self):
        """Returns the rate that the next update would be made with."""
        return float(self.ledger.at(np.array([self.updates_done()]))[0])

    def before_factors(self, product):
        """Returns the rate of the next update without factors: ours in the dial are `product`."""
        if self._uses_variable:
            dialled = self._in_variable()
        else:
            dialled = self.scale * self._base(np.array([self.updates_done()]))[0] + self.level
        return float(dialled / product) if product else self.initial

    def _base(self, updates):
        if self.fit_base is not None:
            return self.fit_base.rates(updates - self.offset)
        every = self.optimizer.gradient_accumulation_steps or 1
        # Keras shows a schedule the batches; the last of each accumulation makes the update.
        return as_schedule("learning_rate", self.own).rates(updates * every + every - 1)


class _Dial:
    """`scale` and `level` where the compiled step sees them change, if the back end allows it."""

    def __init__(self, model):
        self.live = keras.config.backend() != "jax"
        self.scale, self.level = (self._number(value, model) for value in (1.0, 0.0))

    def _number(self, value, model):
        if not self.live:
            return value
        strategy = getattr(model, "distribute_strategy", None)
        options = {"shape": (), "trainable": False, "autocast": False}
        initializer = keras.initializers.Constant(value)
        if strategy is None:
            return keras.Variable(initializer, **options)
        with strategy.scope():
            return keras.Variable(initializer, aggregation="only_first_replica", **options)

    def set(self, scale, level):
        """Returns whether the training step must be rebuilt to see the change."""
        if self.live:
            self.scale.assign(scale)
            self.level.assign(level)
        else:
            self.scale, self.level = scale, level
        return not self.live


def read(value):
    """Returns a scalar, a variable's too, as a float."""
    on_host = host_value(value)
    return float(value) if on_host is None else float(on_host)


def as_written(variable):
    """Returns the shortest decimal of a float32 rate: 0.1, and not 0.10000000149011612."""
    return float(str(np.float32(read(variable))))


def combined(schedule, scale, level):
    """Returns `scale · schedule + level`, of which one is 0, as a schedule that can be saved."""
    if scale == 0.0:
        return Constant(level)
    return schedule if scale == 1.0 else as_schedule("learning_rate", schedule) * scale
