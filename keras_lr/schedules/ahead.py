"""The rates of one update after the other, worked out many at a time."""

import numpy as np

from keras_lr.schedules.coerce import is_fixed

_BLOCK = 64


class RatesAhead:
    """The rate of a schedule at one update, as a float; that of the next ones is known by then.

    NumPy takes about as long for a block of updates as for one. A schedule with a function from
    outside is asked for each update when it comes: that may know no later one.

    >>> from keras_lr.schedules import LinearDecay
    >>> ahead = RatesAhead(LinearDecay(1.0, 4))
    >>> ahead.at(0), ahead.at(3), ahead.at(100)
    (1.0, 0.25, 0.0)
    """

    def __init__(self, schedule):
        self._schedule, self._is_one_by_one = schedule, not is_fixed(schedule)
        self._begin, self._rates = 0, []

    def at(self, t):
        """Returns the rate of an update."""
        index = t - self._begin
        if not 0 <= index < len(self._rates):
            if self._is_one_by_one:
                return self._schedule.rate_at(t)
            # Blocks begin at the same updates, wherever a run begins: it has the same bits.
            index = t % _BLOCK
            self._begin = t - index
            self._work_out()
        return self._rates[index] if self._rates else self._schedule.rate_at(t)

    def _work_out(self):
        t = np.arange(self._begin, self._begin + _BLOCK, dtype="float64")
        try:
            with np.errstate(all="ignore"):
                rates = np.asarray(self._schedule.rate(t, np), "float64")
            self._rates = np.broadcast_to(rates, t.shape).tolist()
        except Exception:
            # The formula of a user that does not work on arrays.
            self._rates, self._is_one_by_one = [], True
