"""When a run is over: asked after each update, with its loss."""

import math

# After so many losses in a row that are no numbers there will be no more.
_NON_FINITE_IN_A_ROW = 5


class AfterUpdates:
    """Ends a run after `most` updates, or after five losses in a row that are no numbers.

    The second sets `diverged`.

    >>> rule = AfterUpdates(3)
    >>> [rule.add(loss) for loss in (2.0, float("nan"), 1.0)], rule.diverged
    ([False, False, True], False)
    """

    def __init__(self, most):
        self.most, self.count, self.diverged = most, 0, False
        self._non_finite = 0

    def add(self, loss):
        """Takes the loss of one more update; returns whether the run is over."""
        self.count += 1
        self._non_finite = 0 if math.isfinite(loss) else self._non_finite + 1
        self.diverged = self._non_finite >= _NON_FINITE_IN_A_ROW
        return self.diverged or self.count >= self.most
