"""One optimizer that is driven during one fit: here base and factors become its rate.

Functions of the step are compiled into the training step as they are. They reach it through the
optimizer's `_get_current_learning_rate`, which every use of the rate goes through and which is
replaced, for the length of `fit`, on the optimizer *object*: its class, its variables and its
config stay the user's, so that a checkpoint written meanwhile has Keras' own layout.

What follows metrics changes seldom, between epochs, as `scale · base + level`:

* an optimizer built with a number has it written to its rate variable, which is live everywhere;
* for any other base it is a dial of live variables. The optimizer's own schedule becomes
  `scale · schedule` at the same time: what is saved then continues at the rate that was applied.
"""

import math

import numpy as np

from keras_lr.driving.applied_rates import AppliedRates, Formula
from keras_lr.driving.rate_as_read import RateAsRead
from keras_lr.driving.rate_in_step import RateInStep
from keras_lr.keras_private.optimizers import (
    RATE_METHOD,
    as_held,
    batch_of_update,
    batches_counted,
    has_rate_variable,
    multiplier_of,
    own_rate,
    rate_as_written,
    read,
    updates_made,
)
from keras_lr.keras_private.overrides import Overrides
from keras_lr.schedules.coerce import as_applied
from keras_lr.schedules.scaled import combined


class DrivenOptimizer:
    """An optimizer whose rate is `(scale · base(t) + level) × factors(t)` during one fit.

    `base` is a schedule in the place of the optimizer's own rate, or None; `factors` are schedules.
    Their t is `first_update` at the first update of the fit. `steps` has the optimizer's dial,
    `counter` the batches of the epoch; None in a loop by hand.
    """

    def __init__(self, optimizer, steps, first_update=0, number=None, counter=None):
        self.optimizer, self._counter = optimizer, counter
        # Updates are numbered on where another optimizer has left off.
        self.shift = 0 if number is None else number - updates_made(optimizer)
        self.name = optimizer.name
        self.own = own_rate(optimizer)
        self.multiplier = multiplier_of(optimizer)
        self.base, self.factors = None, ()
        self._begin = self.updates_done()
        self.offset = self._begin - first_update
        self._steps, self._dial, self._rate = steps, None, None
        self._overrides = Overrides()
        # What the optimizer held when we last wrote to it: a schedule, or its variable's value.
        self._held, self._number = self.own, None
        self.initial = self._without_ours = self._seen = None
        if has_rate_variable(optimizer):
            self.initial = self._without_ours = rate_as_written(self.own)
            self._number = self._seen = read(self.own)
        # What somebody else has written, until it is the base; whether the step itself writes.
        self.foreign, self.is_written_in_step = None, False
        self._scale, self._level = 1.0, 0.0
        self.begin_epoch()
        self._applied = AppliedRates()
        self._note()

    # The clock

    def updates_done(self, without_last=0):
        """Returns how many updates there were, in all fits, not counting the last few batches."""
        return updates_made(self.optimizer, without_last) + self.shift

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
        self._epoch_began = self.updates_done()
        self._counted_before = self.batches_counted()

    def rewind(self):
        """Notes that the counter was set back."""
        self._epoch_began = self.updates_done()
        self._applied.rewind(self.updates_done())

    # Into the optimizer

    def multiply(self, base, factors):
        """Takes the functions of the clock that make the rate from the next update on."""
        if base is not None and self.multiplier != 1:
            base = base * self.multiplier
        if (together := (base, tuple(factors))) != (self.base, self.factors):
            self.base, self.factors = together
            self._note()

    def rate_in_step(self, base, factors):
        """Returns what to compile into the training step; None where a variable is live in it."""
        self.multiply(base, factors)
        if self._uses_variable and not self.factors:
            return None
        return RateInStep(self.optimizer, self.dial, self.base, self.factors)

    def put_in(self, rate):
        """Has the optimizer ask `rate_in_step` for its rate; None leaves it to itself."""
        self._overrides.take_off()
        self._rate = rate
        if rate is None:
            return
        if self._counter is not None:
            rate = RateAsRead(self.optimizer, rate, self.as_read)
            self._overrides.put(self.optimizer, "apply", rate.apply)
        self._overrides.put(self.optimizer, RATE_METHOD, rate)
        self._turn_dial()

    def remove(self):
        """Takes out what was put in."""
        self.put_in(None)

    @property
    def dial(self):
        """What a training step reads and is changed between updates, on this fit's clock."""
        if self._dial is None:
            self._dial = self._steps.dial_of(self.optimizer)
            self._dial.set_clock(self.offset - self.shift)
        return self._dial

    def _turn_dial(self):
        if self._rate is not None:
            at_rest = (1.0, 0.0)
            self.dial.set(*(at_rest if self._uses_variable else (self._scale, self._level)))

    def set(self, scale, level):
        """Applies `scale · base + level` from the next update on."""
        level *= self.multiplier
        if (scale, level) == (self._scale, self._level):
            return
        self._scale, self._level = scale, level
        self._since_epoch_began.append((scale, level))
        self.foreign = None
        self._note()
        if self.initial is None:
            self._held = self.optimizer.learning_rate = combined(self.own, scale, level)
        else:
            self._write(self._in_variable())
        self._turn_dial()

    def leave(self, scale, level):
        """Leaves what stays after the fit, unless somebody else has written a rate since."""
        if self.was_overwritten():
            return
        self.set(scale, level)
        if self.initial is not None:
            # What was there before us, or was written by somebody else, with what stays of ours.
            self._write(self._without_ours * scale + level * self.multiplier)

    def _write(self, rate):
        self._number = self._seen = as_held(self.optimizer, rate)
        self.optimizer.learning_rate = rate

    def lower_base(self, rate):
        """Takes `rate` as the base where the optimizer's number is higher by now."""
        if self.initial is not None and rate is not None:
            self.initial = min(self.initial, rate)
            self._without_ours = min(self._without_ours, rate)

    @property
    def _uses_variable(self):
        # A variable holds the whole of its rate, whoever wrote it.
        return self.initial is not None and self.base is None

    def _in_variable(self):
        ours = self.initial * self._scale + self._level
        return ours if self.foreign is None else self.foreign

    # What others do to it

    def was_overwritten(self):
        """Tells whether somebody else has written a rate, or assigned a schedule, since we did."""
        return self.has_other_rate() or (
            self.initial is not None and read(self.own) != self._number
        )

    def has_other_rate(self):
        """Tells whether somebody else has assigned a schedule, or any other object, as the rate."""
        return own_rate(self.optimizer) is not self._held

    def note_foreign_write(self):
        """Notes that somebody else has just written a number."""
        self._seen = read(self.own)
        self.foreign = None if self._seen == self._number else rate_as_written(self.own)
        self._note()

    def doubt(self, without_last=None):
        """Notes that nobody knows the rates since the epoch began, or of the last few batches.

        Returns the update where that begins, None if there was none.
        """
        begin = self._epoch_began if without_last is None else self.updates_done(without_last)
        end = self.updates_done()
        if begin < end:
            self._applied.doubt(begin, end)
        return begin if begin < end else None

    def was_written_unseen(self):
        """Tells whether the number is neither ours nor one that was seen when it was written."""
        is_other = (
            self.is_written_in_step or self.initial is not None and read(self.own) != self._seen
        )
        return self._uses_variable and is_other

    def adopt_foreign_write(self, staying=1.0):
        """Takes a rate that somebody else has written as the base; returns whether one had.

        `staying` is the part of the present scale that stays after the fit.
        """
        if self.has_other_rate() or not self.was_overwritten():
            return False
        found, self._number = rate_as_written(self.own), read(self.own)
        self._seen, self.foreign = self._number, None
        self.initial = found / self._scale if self._scale else self.initial
        self._level = self._level if self._scale else found
        self._without_ours = found / staying if staying else self._without_ours
        self._note()
        return True

    def counted_elsewhere(self, batches):
        """Returns how much more this was counted in the epoch than by so many batches.

        0 where nothing is compiled in: all who train with it read the same variable.
        """
        if self._rate is None:
            return 0
        return self.batches_counted() - self._counted_before - batches

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
        own = None if self.initial is not None else as_applied(self.own)
        return lambda updates: own.rates(batch_of_update(self.optimizer, updates - self.shift))

    def _on_clock(self, schedule):
        return lambda updates: schedule.rates(updates - self.offset)

    def applied(self, updates):
        """Returns the rates applied at an array of updates, as float64."""
        return self._applied.at(updates)

    def last_applied(self, without_last=0):
        """Returns the rate of the last update in this fit; NaN if none was made."""
        last = self.updates_done(without_last) - 1
        return self._applied.next(last) if last >= self._begin else math.nan

    def as_read(self):
        """Returns what somebody reads in a fit: after a batch the rate that it was made with."""
        is_after = self._counter.is_after_batch(self.batches_counted() - self._counted_before)
        return self.last_applied() if is_after and self.updates_made() else self.at_next_update()

    def rate_of(self, update):
        """Returns the rate of an update, of the first one of this fit where it was before that."""
        return self._applied.next(max(update, self._begin))

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
