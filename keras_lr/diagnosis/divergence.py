"""What `RecoverFromDivergence` knows of a metric: its good values and their rates."""

from statistics import median
from typing import NamedTuple

from keras_lr.diagnosis import statistics

_RAISED = 2.0


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
    """Tells whether a value has exploded, by `statistics.has_diverged`.

    All of the gain is allowed where the rate is more than twice the median of those before, as
    after a restart.

    >>> state = RecoveryState()
    >>> for loss in [-1.0, -2.0, -2.5, -2.8, -3.0]:
    ...     state = state.with_good(loss, 0.1, lambda new, old: True, window=20)
    >>> has_diverged(state, 2.0, 10.0), has_diverged(state, 8.0, 10.0)
    (False, True)
    """
    known = {"at_first": state.at_first}
    if state.good:
        known["gained"] = abs(state.first - state.best)
        known["excused"] = state.begun_at > _RAISED * median(state.rates)
    return statistics.has_diverged(
        value, state.good, threshold, lower_is_better=lower_is_better, **known
    )
