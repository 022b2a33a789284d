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
        """Notes that a formula counts from `update` on, whatever was to come."""
        while self._starts and self._starts[-1] >= update:
            self._starts.pop()
            self._formulas.pop()
        self._starts.append(update)
        self._formulas.append(formula)

    def rewind(self, update):
        """Notes that the clock was set: what counts now counts from `update` on."""
        if self._starts[-1] > update:
            self.write(update, self._formulas[-1])

    def doubt(self, begin, end):
        """Notes that nobody knows the rates of the updates from `begin` to before `end`."""
        now = self._formulas[-1]
        self.write(begin, unknown)
        self.write(end, now)

    def at(self, updates):
        """Returns the rates applied at these updates, which ascend, as float64; NaN if not known.

        One formula after the other, as a long run has many, and few count here.
        """
        updates, done = np.asarray(updates), 0
        rates = np.empty(len(updates))
        while done < len(updates):
            index = bisect.bisect_right(self._starts, updates[done])
            later = self._starts[index : index + 1] or [np.inf]
            end = np.searchsorted(updates, later[0])
            formula = self._formulas[index - 1] if index else unknown
            rates[done:end] = formula(updates[done:end])
            done = end
        return rates

    def next(self, update):
        """Returns the rate of one update, as a float."""
        return float(self.at([update])[0])


def unknown(updates):
    """The formula of what nobody knows.

    >>> unknown(np.arange(2)).tolist()
    [nan, nan]
    """
    return np.full(len(updates), np.nan)
