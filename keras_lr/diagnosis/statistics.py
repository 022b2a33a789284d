"""What losses say beyond their noise: smoothed, fallen, risen, diverged. Pure functions."""

import math
from statistics import median

import numpy as np

# So many standard errors are a fall. Of pure noise, 40 to 300 losses, 1 to 3 % fall by as many.
LEAST_FALL = 4.2
# Single losses count as so many standard deviations from the middle at most: stray ones are no
# evidence.
_MOST = 3.0
_SHORTEST = 4
# An explosion is judged by the median of so many last values;
_RECENT = 5
# what the median of |x − y| is to be multiplied by to be a normal distribution's deviation;
_SIGMA = 1.0484
# it is worse than they by more than this part of what was gained,
_PART_OF_GAIN = 0.1
# and the first value is by so many times that of the first batch.
_FIRST = 1000.0


class RunningMean:
    """The bias-corrected exponential mean: `m ← β·m + (1 − β)·loss`, over `1 − βⁱ` after i.

    >>> mean = RunningMean(0.5)
    >>> [round(mean.add(loss), 3) for loss in (1.0, 2.0)]
    [1.0, 1.667]
    """

    def __init__(self, beta):
        self._beta, self._mean, self._weight = beta, 0.0, 0.0

    def add(self, loss):
        """Takes a loss and returns the mean."""
        self._mean = self._beta * self._mean + (1.0 - self._beta) * loss
        self._weight = self._beta * self._weight + (1.0 - self._beta)
        return self._mean / self._weight


def smooth(losses, beta):
    """Returns the running means of the losses, the first of which is the first loss.

    >>> smooth([2.0, 2.0, 2.0], 0.9).round(12).tolist()
    [2.0, 2.0, 2.0]
    >>> smooth([1.0, 2.0], 0.5).round(3).tolist()
    [1.0, 1.667]
    """
    mean = RunningMean(beta)
    return np.array([mean.add(loss) for loss in losses], dtype="float64")


def noise(losses, neighbours=None):
    """Returns the standard deviation of the noise in losses that may also fall or rise.

    Half of its square is their variance, and half is from the differences of neighbours (of
    `neighbours`, by default the losses): a slow fall leaves these alone, but data in one order may
    make them small.

    >>> noise(np.array([1.0, -1.0, 1.0])).round(3)  # √((4/3 + 4/2) / 2)
    np.float64(1.291)
    """
    differences = np.diff(losses if neighbours is None else neighbours)
    return np.sqrt((np.var(losses, ddof=1) + np.mean(differences**2) / 2.0) / 2.0)


def fall_in_errors(losses, head):
    """Returns the largest fall, in standard errors, from all losses before a window to its mean.

    Windows of 4, 6, 8, 12, 16, … losses, anywhere after the first `head`: where the fall is, how
    wide, and how little of it noise leaves to be seen need not be known. The noise is that of the
    losses before the window.

    >>> noise = np.tile([1.0, -1.0], 50)
    >>> fall_in_errors(noise, 10) < 2 < 10 < fall_in_errors(noise - 4 * (np.arange(100) > 70), 10)
    True
    """
    losses = _without_strays(losses, head)
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    highest, at = 0.0, head
    for width in _widths(len(losses) - head):
        begin = np.arange(head, len(losses) - width + 1)
        falls = sums[begin] / begin - (sums[begin + width] - sums[begin]) / width
        falls /= np.sqrt(1.0 / begin + 1.0 / width)
        best = int(np.argmax(falls))
        if falls[best] > highest:
            highest, at = float(falls[best]), int(begin[best])
    if highest == 0.0:
        return 0.0
    chance = float(noise(losses[:at], losses[: max(at, 2 * head)]))
    return highest / chance if chance > 0 else np.inf


def rise_in_deviations(losses, smoothed, head):
    """Returns by how many standard deviations the mean has risen at the end from its lowest.

    The deviation is that of the first half of the losses, before they rose.

    >>> losses = np.r_[np.tile([1.0, -1.0], 40), 9.0, 9.0]
    >>> float(rise_in_deviations(losses, losses, 8).round(1))
    9.9
    """
    rise = smoothed[-1] - np.min(smoothed)
    deviation = np.std(losses[: max(head, len(losses) // 2)], ddof=1)
    return rise / deviation if deviation > 0 else np.inf * np.sign(rise)


def has_diverged(
    value, good, threshold, *, gained=0.0, excused=False, at_first=None, lower_is_better=True
):
    """Tells whether a value is NaN or infinite, or, unless `threshold` is None, has exploded.

    That is, it is worse than the median of the last 5 of the `good` values by more than

    * `threshold` spreads. A spread is (n · s + |median|) / (n + 1), n the number of good values,
      s the median change from one to the next times 1.05, as which it estimates a normal noise's
      standard deviation, whatever the trend. It is as if one more value had been off by the
      median's size, lest a few values, or constant ones, make a narrow band;
    * a tenth of what was `gained`, from the first value to the best; and all of that where the
      value is `excused`, as by a rate that was raised.

    Without good values it can only be compared with `at_first`, that of the first batch, one sample
    perhaps: it may be worse by 1000 times that one's size. All is in differences, so that values
    may be negative, and for the better none is too large. Where every value was 0 there is no
    measure, and none is too bad.

    >>> good = [-1.0, -2.0, -2.5, -2.8, -3.0]
    >>> [has_diverged(v, good, 10.0, gained=2.0) for v in (2.0, 8.0)]  # −2.5 + 10 · 0.77 = 5.2
    [False, True]
    """
    if not math.isfinite(value):
        return True
    if threshold is None:
        return False
    if len(good):
        start = median(good[-_RECENT:])
        changes = [abs(after - before) for before, after in zip(good, good[1:])] or [0.0]
        spread = (len(good) * _SIGMA * median(changes) + abs(start)) / (len(good) + 1)
        allowed = max(threshold * spread, gained * (1.0 if excused else _PART_OF_GAIN))
    else:
        start, allowed = at_first or 0.0, _FIRST * abs(at_first or 0.0)
    rise = value - start if lower_is_better else start - value
    return rise > allowed > 0


def _widths(most):
    width = _SHORTEST
    while width <= most:
        yield width
        if width + width // 2 <= most:
            yield width + width // 2
        width *= 2


def _without_strays(losses, head):
    first = losses[: max(head, len(losses) // 2)]
    middle = np.median(first)
    reach = _MOST * 1.4826 * np.median(np.abs(first - middle))
    return np.clip(losses, middle - reach, middle + reach) if reach > 0 else losses
