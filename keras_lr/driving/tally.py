"""The updates that the optimizers of a fit have made since the last look, as rows of a table."""

import math

import numpy as np

from keras_lr.keras_private.optimizers import accumulation


class Tally:
    """The rows of several optimizers: one for every batch at whose end one of them has updated.

    Where all accumulate over as many batches, a row has the number of the first one's update; else
    that of the row's batch, in units of the greatest number that divides all accumulations.
    """

    def __init__(self, together):
        self._together = list(together)
        self._counts = [driven.batches_counted() for driven in self._together]
        self._every = [accumulation(driven.optimizer) for driven in self._together]
        self._unit = math.gcd(*self._every)
        first = self._together[0]
        # The number of the next row.
        self.begin = self._counts[0] // self._unit + first.shift * self._every[0] // self._unit

    def rows(self, without_last=0):
        """Returns the rows since then: their numbers, and the rates by optimizer, NaN where none.

        The last few batches are not counted.
        """
        columns = zip(self._together, self._counts, self._every)
        made = [
            np.arange(count // every, (driven.batches_counted() - without_last) // every)
            for driven, count, every in columns
        ]
        # How many batches after the last look each was made.
        places = [(u + 1) * k - c for u, c, k in zip(made, self._counts, self._every)]
        together = np.unique(np.concatenate(places))
        rates = {}
        for driven, updates, at in zip(self._together, made, places):
            column = rates[driven.name] = np.full(len(together), np.nan)
            column[np.searchsorted(together, at)] = driven.applied(updates + driven.shift)
        return self.begin - 1 + -(-together // self._unit), rates

    def row_of(self, name, update):
        """Returns how many units have passed since then when an update is the next one."""
        for driven, count, every in zip(self._together, self._counts, self._every):
            if driven.name == name:
                return max(-(-((update - driven.shift) * every - count) // self._unit), 0)
        return 0
