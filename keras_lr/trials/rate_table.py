"""The rates of a run, where the compiled step of every optimizer reads them."""

import numpy as np
from keras import ops

from keras_lr import checks
from keras_lr.keras_private.live_variables import LiveVariables
from keras_lr.keras_private.optimizers import RATE_METHOD, leaves, multiplier_of
from keras_lr.keras_private.overrides import Overrides


class RateTable:
    """A table of rates by update, read in the step at the updates made since it was put there.

    Writing other rates compiles nothing anew. Optimizers that have several rates keep their
    proportions: the table has the largest, at multiplier 1 under `discriminative`.
    """

    def __init__(self, model, capacity):
        self.capacity = capacity
        self._optimizers = leaves(model.optimizer)
        self._shares = _shares(self._optimizers)
        self._begins = [int(ops.convert_to_numpy(o.iterations)) for o in self._optimizers]
        # A part of a MultiOptimizer that has no weights makes no updates.
        self._counting = next((i for i, o in enumerate(self._optimizers) if o.built), 0)
        self._live, self._overrides = LiveVariables(model), Overrides()
        self._tables = [self._live.add(o, np.zeros(capacity)) for o in self._optimizers]
        for i, optimizer in enumerate(self._optimizers):
            self._overrides.put(optimizer, RATE_METHOD, self._reader(i))

    def write(self, rates):
        """Puts other rates into the table; beyond their end the last one is kept."""
        if len(rates) > self.capacity:
            checks.refuse("rates", f"at most {self.capacity} rates", f"{len(rates)} rates")
        padded = np.pad(rates, (0, self.capacity - len(rates)), mode="edge")
        for table, share in zip(self._tables, self._shares):
            table.assign((padded * share).astype("float32"))

    def updates_made(self):
        """Returns, inside the step, the updates made since the table was put there."""
        return self._made(self._counting)

    def take_off(self):
        """Gives the optimizers their own rates again."""
        self._overrides.take_off()
        self._live.take_off()

    def _made(self, i):
        return ops.subtract(self._optimizers[i].iterations, self._begins[i])

    def _reader(self, i):
        def rate():
            return ops.take(self._tables[i], ops.clip(self._made(i), 0, self.capacity - 1))

        return rate


def _shares(optimizers):
    """Returns by what each optimizer multiplies the rate of the table: its share of the largest."""
    multipliers = [multiplier_of(optimizer) for optimizer in optimizers]
    rates = [float(o.learning_rate) / m for o, m in zip(optimizers, multipliers)]
    highest = max(rates)
    return [m * (r / highest if highest > 0 else 1.0) for r, m in zip(rates, multipliers)]
