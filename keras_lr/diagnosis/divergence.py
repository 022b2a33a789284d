"""When a metric has exploded: far out of the band of its last good values."""

import math
from statistics import median
from typing import NamedTuple

_RECENT = 5
_SIGMA = 1.0484  # what the median of |x - y| is to be multiplied by, for a normal distribution
_SHARE = 0.1
_RAISED = 2.0
_FIRST = 1000.0


class RecoveryState(NamedTuple):
    """The first batch's value, the first good one, the best, the last and their rates."""

    factor: float = 1.0
    rate: float = None
    at_first: float = None
    first: float = None
    best: float = None
    good: tuple = ()
    rates: tuple = ()
    begun_at: float = None
    divergences: int = 0

    def with_good(self, value, rate, is_better, window):
        """Returns the state after a good value; the next one is trained for at `rate`."""
        begun_at = rate if self.begun_at is None else self.begun_at
        return self._replace(
            first=value if self.first is None else self.first,
            best=value if is_better(value, self.best) else self.best,
            good=(*self.good, value)[-window:],
            rates=(*self.rates, begun_at)[-window:],
            begun_at=rate,
        )


def has_diverged(state, value, threshold, lower_is_better=True):
    """Tells whether a value is NaN or infinite, or, unless `threshold` is None, has exploded.

    That is, it is worse than the median of the last 5 good values by more than

    * `threshold` spreads. A spread is (n · s + |median|) / (n + 1), n the number of good values
      that are known, s the median change from one to the next times 1.05, as which it estimates a
      normal noise's standard deviation, whatever the trend. It is as if one more value had been
      off by the median's size, lest a few values, or constant ones, make a narrow band;
    * a tenth of what was gained, from the first value to the best; and all of that where the
      rate is more than twice the median of those before, as after a restart.

    The first value can only be compared with that of the first batch, `state.at_first`, one sample
    perhaps: it may be worse by 1000 times that one's size. All is in differences, so that values
    may be negative, and for the better none is too large. Where every value was 0 there is no
    measure, and none is too bad.

    >>> state = RecoveryState()
    >>> for loss in [-1.0, -2.0, -2.5, -2.8, -3.0]:
    ...     state = state.with_good(loss, 0.1, lambda new, old: True, window=20)
    >>> has_diverged(state, 2.0, 10.0), has_diverged(state, 8.0, 10.0)  # -2.5 + 10 · 0.77 = 5.2
    (False, True)
    """
    if not math.isfinite(value):
        return True
    if threshold is None:
        return False
    start, allowed = _band(state, threshold)
    rise = value - start if lower_is_better else start - value
    return rise > allowed > 0


def _band(state, threshold):
    """Returns the value to compare with, and by how much another may be worse."""
    good = state.good
    if not good:
        return state.at_first or 0.0, _FIRST * abs(state.at_first or 0.0)
    middle = median(good[-_RECENT:])
    changes = [abs(after - before) for before, after in zip(good, good[1:])] or [0.0]
    spread = (len(good) * _SIGMA * median(changes) + abs(middle)) / (len(good) + 1)
    is_raised = state.begun_at > _RAISED * median(state.rates)
    gained = abs(state.first - state.best) * (1.0 if is_raised else _SHARE)
    return middle, max(threshold * spread, gained)
