"""What rate was applied when: kept as the few numbers that changed, worked out by formula."""

import bisect

import numpy as np


class AppliedRates:
    """The rates of one optimizer during one fit: `(scale · base(t) + level) × factors(t)`.

    `base` returns the rates at an array of updates, `factors` are schedules whose t is the update
    minus `offset`. Each entry of (scale, level) counts from its update on.

    >>> import numpy as np
    >>> rates = AppliedRates(lambda updates: 0.1 * np.ones(len(updates)), [], 0)
    >>> rates.write(2, scale=0.5, level=0.0)
    >>> rates.at(np.arange(4)).tolist()
    [0.1, 0.1, 0.05, 0.05]
    """

    def __init__(self, base, factors, offset, scale=1.0, level=0.0):
        self.base, self.factors, self.offset = base, factors, offset
        self._starts, self._entries = [0], [(scale, level)]

    def write(self, update, scale, level):
        """Notes that these count from `update` on."""
        self._starts.append(update)
        self._entries.append((scale, level))

    def rewind(self, update):
        """Notes that the clock was set back: what counts now counts from `update` on."""
        now = self._entries[-1]
        while self._starts and self._starts[-1] >= update:
            self._starts.pop()
            self._entries.pop()
        self.write(update, *now)

    def at(self, updates):
        """Returns the rates applied at these updates, as float64."""
        updates = np.asarray(updates)
        if not updates.size:
            return np.zeros(updates.shape)
        # Only the entries that count for these updates: a long run has many.
        first = bisect.bisect_right(self._starts, updates.min()) - 1
        end = bisect.bisect_right(self._starts, updates.max())
        scales, levels = np.array(self._entries[first:end], dtype="float64").T
        entry = np.searchsorted(self._starts[first:end], updates, side="right") - 1
        applied = levels[entry]
        if scales[entry].any():
            applied = applied + self.base(updates) * scales[entry]
        for factor in self.factors:
            applied = applied * factor.rates(updates - self.offset)
        return applied

    def next(self, update):
        """Returns the rate of one update, as a float."""
        return float(self.at([update])[0])
