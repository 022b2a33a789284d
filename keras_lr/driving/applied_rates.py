"""What rate was applied when: kept as the few numbers that changed, worked out by formula."""

import bisect
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Formula(NamedTuple):
    """`(scale · base + level) × factors` as functions of an array of updates.

    >>> formula = Formula(lambda t: 0.1 * t, [lambda t: 0.5], scale=2.0, level=0.0)
    >>> formula(np.array([1, 2])).round(6).tolist()
    [0.1, 0.2]
    """

    base: Callable
    factors: list
    scale: float
    level: float

    def __call__(self, updates):
        """Returns the rates at an array of updates, as float64."""
        rates = np.full(len(updates), self.level)
        if self.scale:
            rates = rates + self.base(updates) * self.scale
        for factor in self.factors:
            rates = rates * factor(updates)
        return rates


class AppliedRates:
    """The rates of one optimizer during one fit: which formula counts from which update on.

    >>> rates = AppliedRates()
    >>> rates.write(0, lambda updates: np.full(len(updates), 0.1))
    >>> rates.write(2, lambda updates: np.full(len(updates), 0.05))
    >>> rates.at([0, 1, 2, 3]).tolist()
    [0.1, 0.1, 0.05, 0.05]
    """

    def __init__(self):
        self._starts, self._formulas = [], []

    def write(self, update, formula):
        """Notes that a formula counts from `update` on."""
        self._starts.append(update)
        self._formulas.append(formula)

    def rewind(self, update):
        """Notes that the clock was set back: what counts now counts from `update` on."""
        now = self._formulas[-1]
        while self._starts and self._starts[-1] >= update:
            self._starts.pop()
            self._formulas.pop()
        self.write(update, now)

    def at(self, updates):
        """Returns the rates applied at these updates, as float64."""
        updates = np.asarray(updates)
        rates = np.empty(len(updates))
        # One look-up in the list for each, as a long run has many formulas, and few count here.
        which = np.array([bisect.bisect_right(self._starts, u) - 1 for u in _ends(updates)])
        for index in range(which.min(), which.max() + 1) if len(which) else ():
            begin = self._starts[index] if index > which.min() else -np.inf
            end = self._starts[index + 1] if index < which.max() else np.inf
            here = (updates >= begin) & (updates < end)
            rates[here] = self._formulas[index](updates[here])
        return rates

    def next(self, update):
        """Returns the rate of one update, as a float."""
        return float(self.at([update])[0])


def _ends(updates):
    return (updates.min(), updates.max()) if len(updates) else ()
