"""Where a sweep ends."""

import math
import statistics

import numpy as np

from keras_lr.diagnosis.statistics import LEAST_FALL, RunningMean, fall_in_errors
from keras_lr.finder.curve import LEVEL
from keras_lr.trials.stopping import AfterUpdates

# A loss has diverged where it stands above its best by this many times what it had fallen,
_RISE = 2.0
# a fall being at least so many standard deviations of a batch's loss.
_LEAST_SCALE = 3.0
# One of the first losses above the very first, which no update has touched, by so many times it, is
# an explosion, as of a classifier at a rate of 50. Squared errors of single rows do so in 1.5 %.
_EXPLOSION = 1e4


class AfterDivergence(AfterUpdates):
    """Ends a sweep where the loss has diverged, or from `planned` updates on if all has been seen.

    It has diverged where `smoothed − best > 2 · max(initial − best, 3 · noise)`, safe for negative
    losses; `initial` and `noise` are mean and deviation of the first `head` losses. It has diverged
    at once where one of them is 10,000 times the very first, which is the lowest. A sweep of
    `planned` updates goes on, up to `most`, by default twice as many, while no fall is to be told
    from noise or it has fallen within the last twentieth: where it will diverge says more than that
    it has not yet.

    >>> rule = AfterDivergence(planned=6, head=2, beta=0.0)
    >>> [rule.add(loss) for loss in (-1.0, -1.0, -3.0, -2.0, 0.9, 1.1)]
    [False, False, False, False, False, True]
    >>> rule.diverged
    True
    """

    def __init__(self, planned, head, beta, most=None):
        super().__init__(2 * planned if most is None else most)
        self._planned, self._head = planned, head
        self._mean, self._losses = RunningMean(beta), []
        self._initial = self._noise = math.nan
        self._best, self._reached, self._fell_at = math.inf, math.inf, 0

    def add(self, loss):
        over = super().add(loss)
        if not math.isfinite(loss):
            return over
        self._losses.append(loss)
        mean = self._mean.add(loss)
        self._best = min(self._best, mean)
        if len(self._losses) <= self._head:
            if len(self._losses) == self._head:
                self._end_the_beginning()
            return over or self.diverged
        fall = self._initial - self._best
        # A gain of less than that is what the mean still owes to losses that have levelled off.
        if self._best < self._reached - LEVEL * fall:
            self._reached, self._fell_at = self._best, self.count
        self.diverged |= mean - self._best > _RISE * max(fall, _LEAST_SCALE * self._noise)
        return over or self.diverged or (self.count >= self._planned and self._all_seen())

    def _end_the_beginning(self):
        self._reached, untouched = self._best, self._losses[0]
        self._initial, self._noise = statistics.fmean(self._losses), statistics.pstdev(self._losses)
        exploded = max(self._losses) - untouched > _EXPLOSION * abs(untouched)
        self.diverged |= exploded and untouched == min(self._losses)

    def _all_seen(self):
        if self._fell_at > self.count - max(self._head // 2, 1):
            return False
        return fall_in_errors(np.array(self._losses), self._head) > LEAST_FALL
