"""What rate was applied when: kept as the few numbers that changed, worked out by formula."""

import numpy as np


class Ledger:
    """The rates of one optimizer during one fit: `(scale · base(t) + level) × factors(t)`.

    `base` returns the rates at an array of updates, `factors` are schedules whose t is the update
    minus `offset`. Each entry of (scale, level) counts from its update on.

    >>> import numpy as np
    >>> ledger = Ledger(lambda updates: 0.1 * np.ones(len(updates)), [], 0)
    >>> ledger.write(2, scale=0.5, level=0.0)
    >>> ledger.at(np.arange(4)).tolist()
    [0.1, 0.1, 0.05, 0.05]
    """

    def __init__(self, base, factors, offset, scale=1.0, level=0.0):
        self.base, self.factors, self.offset = base, factors, offset
        self.entries = [(0, scale, level)]

    def write(self, update, scale, level):
        """Notes that from `update` on these count."""
        self.entries.append((update, scale, level))

    def rewind(self, update):
        """Notes that the clock was set back: what counts now counts from `update` on."""
        _, scale, level = self.entries[-1]
        self.entries = [entry for entry in self.entries if entry[0] < update]
        self.entries.append((update, scale, level))

    def at(self, updates):
        """Returns the rates applied at these updates, as float64."""
        starts, scales, levels = (np.array(column) for column in zip(*self.entries))
        entry = np.searchsorted(starts, updates, side="right") - 1
        applied = levels[entry]
        if scales[entry].any():
            applied = applied + self.base(updates) * scales[entry]
        for factor in self.factors:
            applied = applied * factor.rates(updates - self.offset)
        return applied
