"""One optimizer that is driven during one fit: here base and factors become its rate.

Functions of the step are compiled into the training step as they are. They reach it through the
optimizer's `_get_current_learning_rate`, which every use of the rate goes through and which is
replaced, for the length of `fit`, on the optimizer *object*: its class, its variables and its
config stay the user's, so that a checkpoint written meanwhile has Keras' own layout.

What follows metrics changes seldom, between epochs, as `scale · base + level`:

* an optimizer built with a number has it written to its rate variable, which is live everywhere;
* for any other base it is a pair of variables that belong to no optimizer, live in the compiled
  step of TensorFlow and PyTorch. JAX would bake them in, so there a change builds the step anew.
  The optimizer's own schedule becomes `scale · schedule` at the same time: what is saved then
  continues at the rate that was applied.
"""

import keras
import numpy as np
from keras import ops

from keras_lr.driving.applied_rates import AppliedRates, Formula
from keras_lr.keras_private.optimizers import (
    RATE_METHOD,
    batch_of_update,
    batches_counted,
    counter_in_step,
    has_rate_variable,
    multiplier_of,
    own_rate,
    rate_as_written,
    rate_in_step,
    read,
    strategy_of,
    updates_made,
)
from keras_lr.keras_private.overrides import Overrides
from keras_lr.schedules.coerce import as_schedule, combined

_COMPILED = "_keras_lr_compiled_schedule"


class DrivenOptimizer:
    """An optimizer whose rate is `(scale · base(t) + level) × factors(t)` during one fit.

    `base` is a schedule in the place of the optimizer's own rate, or None; `factors` are schedules.
    Their t is `first_update` at the first update of the fit.
    """

    def __init__(self, optimizer, first_update=0):
        self.optimizer = optimizer
        self.name = optimizer.name
        self.own = own_rate(optimizer)
        self.multiplier = multiplier_of(optimizer)
        self.base, self.factors = None, ()
        self._begin = self.updates_done()
        self.offset = self._begin - first_update
        self._dial = None
        self._overrides = Overrides()
        # What the optimizer held when we last wrote to it.
        self._held = self.own
        self.initial = rate_as_written(self.own) if has_rate_variable(optimizer) else None
        self._scale, self._level = 1.0, 0.0
        self.begin_epoch()
        self._applied = AppliedRates()
        self._note()

    # The clock

    def updates_done(self, without_last=0):
        """Returns how many updates there were, in all fits, not counting the last few batches."""
        return updates_made(self.optimizer, without_last)

    def updates_made(self):
        """Returns the number of updates made in this fit."""
        return self.updates_done() - self._begin

    def batches_counted(self):
        """Returns what Keras has counted so far: batches, also where they accumulate."""
        return batches_counted(self.optimizer)

    def clock(self):
        """Returns the t of the schedules of this fit at the next update."""
        return self.updates_done() - self.offset

    def begin_epoch(self):
        """Starts the note of what stands in the optimizer during an epoch."""
        self._since_epoch_began = [(self._scale, self._level)]

    def rewind(self):
        """Notes that the counter was set back."""
        self._applied.rewind(self.updates_done())

    # Into the optimizer

    def compile(self, model, base, factors, follows_metrics=False):
        """Puts base and factors into the training step; returns whether it must be rebuilt.

        `follows_metrics` tells that `set` is going to be called, too.
        """
        if base is not None and self.multiplier != 1:
            base = base * self.multiplier
        if (base, tuple(factors)) != (self.base, self.factors):
            self.base, self.factors = base, tuple(factors)
            self._note()
        if self._dial is None and follows_metrics and not self._uses_variable:
            self._dial = _Dial(model)
            self._dial.set(self._scale, self._level)
        if self._dial is None and self.base is None and not self.factors:
            return False
        self._overrides.put(self.optimizer, RATE_METHOD, self._rate_in_step)
        return True

    def remove(self):
        """Takes out what was put in; returns whether there was anything."""
        was_driven = RATE_METHOD in vars(self.optimizer)
        self._overrides.take_off()
        return was_driven

    def _rate_in_step(self):
        """Returns the rate; runs inside the training step, once per update or once per trace."""
        dial = None if self._uses_variable else self._dial
        if self.base is not None:
            rate = self.base(self._clock_in_step())
        elif dial is not None:
            rate = self.own(counter_in_step(self.optimizer))
        else:
            rate = rate_in_step(self.optimizer)
        if dial is not None:
            rate = ops.add(ops.multiply(rate, dial.scale), dial.level)
        for factor in self.factors:
            rate = ops.multiply(rate, factor(self._clock_in_step()))
        return rate

    def _clock_in_step(self):
        return ops.subtract(self.optimizer.iterations, self.offset)

    def set(self, scale, level):
        """Applies `scale · base + level` from the next update on; returns whether to rebuild."""
        level *= self.multiplier
        if (scale, level) == (self._scale, self._level):
            return False
        self._scale, self._level = scale, level
        self._since_epoch_began.append((scale, level))
        self._note()
        if self.initial is not None:
            self.optimizer.learning_rate = self._in_variable()
        else:
            self._held = self.optimizer.learning_rate = combined(self.own, scale, level)
        return self._dial is not None and self._dial.set(scale, level)

    def lower_base(self, rate):
        """Takes `rate` as the base where the optimizer's number is higher by now."""
        if self.initial is not None and rate is not None:
            self.initial = min(self.initial, rate)

    @property
    def _uses_variable(self):
        # A variable holds the whole of its rate, whoever wrote it.
        return self.initial is not None and self.base is None

    def _in_variable(self):
        return self.initial * self._scale + self._level

    # What others do to it

    def may_be_stale(self):
        """Tells whether an earlier fit may have compiled another schedule than the one there is."""
        before = vars(self.optimizer).get(_COMPILED)
        vars(self.optimizer)[_COMPILED] = self.own
        return self.initial is None and before is not self.own

    def was_overwritten(self):
        """Tells whether somebody else has written a rate, or assigned a schedule, since we did."""
        if own_rate(self.optimizer) is not self._held:
            return True
        if self.initial is None:
            return False
        # As the variable holds it: a rate is rounded to 3 digits where floatx is bfloat16.
        expected = ops.cast(self._in_variable(), self.own.dtype)
        return not np.isclose(read(self.own), read(expected), rtol=1e-6, atol=0)

    def adopt_foreign_write(self):
        """Takes a rate that somebody else has written as the base; returns whether one had."""
        if not self.was_overwritten():
            return False
        if own_rate(self.optimizer) is not self._held:
            self._held = own_rate(self.optimizer)
            return True
        found = rate_as_written(self.own)
        self.initial = found / self._scale if self._scale else self.initial
        self._level = self._level if self._scale else found
        self._note()
        return True

    # What is applied

    def _note(self):
        """Notes what counts from the next update on."""
        scale, level = self._scale, self._level
        if self._uses_variable:
            scale, level = 0.0, self._in_variable()
        factors = [self._on_clock(factor) for factor in self.factors]
        formula = Formula(self._base_rates(), factors, scale, level)
        self._applied.write(self.updates_done(), formula)

    def _base_rates(self):
        """Returns the base as a function of an array of updates."""
        if self.base is not None:
            return self._on_clock(self.base)
        own = None if self.initial is not None else as_schedule("learning_rate", self.own)
        return lambda updates: own.rates(batch_of_update(self.optimizer, updates))

    def _on_clock(self, schedule):
        return lambda updates: schedule.rates(updates - self.offset)

    def applied(self, updates):
        """Returns the rates applied at an array of updates, as float64."""
        return self._applied.at(updates)

    def last_applied(self):
        """Returns the rate of the last update that was made."""
        return self._applied.next(max(self.updates_done() - 1, 0))

    def at_next_update(self):
        """Returns the rate that the next update would be made with."""
        return self._applied.next(self.updates_done())

    def without_factors(self, product):
        """Returns the next update's rate without the factors in the dial, of this product."""
        if self._uses_variable:
            in_dial = self._in_variable()
        else:
            in_dial = self._scale * self._base_rates()(np.array([self.updates_done()]))[0]
            in_dial += self._level
        return float(in_dial / product) if product else self.initial

    def standing(self):
        """Returns what stands in the optimizer, and has since the epoch began, as JSON."""
        return {
            "base": self.initial,
            "scale": self._scale,
            "level": self._level,
            "dialled": [list(pair) for pair in self._since_epoch_began],
        }


class _Dial:
    """`scale` and `level` where the compiled step sees them change, if the back end allows it."""

    def __init__(self, model):
        self.live = keras.config.backend() != "jax"
        self.scale, self.level = (self._number(value, model) for value in (1.0, 0.0))

    def _number(self, value, model):
        if not self.live:
            return value
        strategy = strategy_of(model)
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
