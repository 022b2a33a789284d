"""The rates of a run, where the compiled step of every optimizer reads them."""

import numpy as np
from keras import ops

from keras_lr import checks
from keras_lr.keras_private.live_variables import LiveVariables
from keras_lr.keras_private.optimizers import RATE_METHOD, leaves, multiplier_of, shares_of
from keras_lr.keras_private.overrides import Overrides


class RateTable:
    """A table of rates by update, read in the step at the updates made since it was written.

    Batches that make no update (accumulated, skipped by a loss scale, or left out by the model's
    own `train_step`) stay at one rate, and so do the updates of a batch that makes several.
    `optimizer` is the model's own by default. Writing other rates compiles nothing anew. Optimizers
    that have several rates keep their proportions: the table has the largest, at multiplier 1 under
    `discriminative`.
    """

    def __init__(self, model, capacity, optimizer=None):
        self.capacity, self.was_read = capacity, False
        self._optimizers = leaves(optimizer or model.optimizer)
        shares = shares_of(self._optimizers)
        self._shares = [s * multiplier_of(o) for s, o in zip(shares, self._optimizers)]
        # A part of a MultiOptimizer that has no weights makes no updates.
        self._counting = next((o for o in self._optimizers if o.built), self._optimizers[0])
        self._live, self._overrides = LiveVariables(model), Overrides()
        self._tables = [self._live.add(o, np.zeros(capacity)) for o in self._optimizers]
        self._update = self._live.add(self._counting, 0.0)
        for optimizer, table in zip(self._optimizers, self._tables):
            self._overrides.put(optimizer, RATE_METHOD, self._reader(optimizer, table))

    def write(self, rates):
        """Puts other rates into the table and begins at the first; the last one is kept."""
        if len(rates) > self.capacity:
            checks.refuse("rates", f"at most {self.capacity} rates", f"{len(rates)} rates")
        padded = np.pad(rates, (0, self.capacity - len(rates)), mode="edge")
        for table, share in zip(self._tables, self._shares):
            table.assign((padded * share).astype("float32"))
        self.go_to(0)

    def go_to(self, update):
        """Goes on at the rate of an update."""
        self._update.assign(float(update))

    def counted(self):
        """Returns, inside the step, what the optimizer has counted so far."""
        # Not the variable itself, which would be another number after the step.
        return ops.add(self._counting.iterations, 0)

    def advance(self, counted):
        """Goes on, inside the step, to the next update if one was made since `counted()`.

        Returns the updates made so far.
        """
        made = ops.not_equal(self._counting.iterations, counted)
        self._update.assign(ops.add(self._update, ops.cast(made, "float32")))
        return ops.cast(self._update, "int32")

    def take_off(self):
        """Gives the optimizers their own rates again."""
        self._overrides.take_off()
        self._live.take_off()

    def _reader(self, optimizer, table):
        def rate():
            self.was_read = True
            place = ops.cast(self._place(optimizer), "int32")
            return ops.take(table, ops.minimum(place, self.capacity - 1))

        return rate

    def _place(self, optimizer):
        """Returns, inside the step, where in its table an optimizer is."""
        return self._update


class CountedRates(RateTable):
    """A table that is read at the optimizer's own count, for runs that begin at its update 0.

    Nothing else in the step knows of it, which is that of a plain `fit` with a schedule.
    """

    def _place(self, optimizer):
        return optimizer.iterations
