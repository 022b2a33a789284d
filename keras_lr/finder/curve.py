"""What the losses of a sweep say: smoothed, fallen or not, diverged or not."""

import functools
import math
from dataclasses import dataclass

import numpy as np

from keras_lr.diagnosis.statistics import (
    LEAST_FALL,
    fall_in_errors,
    rise_in_deviations,
    smooth,
)

_FEWEST_POINTS = 10
# A sweep that ended for a rise of so many standard deviations did not end for a stray loss: of
# those of pure noise, log-normal, 6 % end early and 3 % have such a rise; of Gaussian none.
_LEAST_RISE = 4.0
# A divergence is seen at most so many times above the rate at which it began.
_LATEST = 4.0
# The standard deviation, in decades of the rate, of the window of `centred`: a factor of two.
_WINDOW = 0.3
# A loss within this part of its whole fall from the lowest has levelled off.
LEVEL = 0.01


@dataclass(frozen=True, eq=False)
class Curve:
    """Finite losses over rising rates, float64 and of one length.

    The first `head` points are the beginning, where rates are too small to matter; `cut_short`
    tells that the sweep ended because the loss diverged. `momentum` is the optimizer's, in [0, 1).
    """

    rates: np.ndarray
    losses: np.ndarray
    head: int
    beta: float = 0.85
    cut_short: bool = False
    momentum: float = 0.0

    @functools.cached_property
    def smoothed(self):
        """The running means of the losses, which lag by 1/(1 − β) updates."""
        return smooth(self.losses, self.beta)

    @functools.cached_property
    def centred(self):
        """The losses without their noise: Gaussian means, their σ a factor of two in the rate.

        Unlike `smoothed` they do not lag. A loss counts as the highest of the beginning at most:
        what it comes to when it diverges must not reach down into the valley.

        >>> curve = Curve(np.geomspace(1e-4, 1e4, 161), np.linspace(3.0, 1.0, 161), 16)
        >>> curve.centred[[40, 80, 120]].round(6).tolist()
        [2.5, 2.0, 1.5]
        """
        count = len(self.losses)
        if count < 2:
            return self.losses
        width = _WINDOW * (count - 1) / np.log10(self.rates[-1] / self.rates[0])
        reach = min(round(3 * width), count - 1)
        window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
        capped = np.minimum(self.losses, np.max(self.losses[: self.head]))
        sums, weights = (np.convolve(a, window) for a in (capped, np.ones(count)))
        return (sums / weights)[reach : reach + count]

    @property
    def initial(self):
        """The loss before the rates were large enough to matter."""
        return float(np.mean(self.losses[: self.head]))

    @property
    def growth(self):
        """The logarithm of what the rate is multiplied by from one update to the next."""
        return math.log(self.rates[-1] / self.rates[0]) / (len(self.rates) - 1)

    @property
    def rise(self):
        """The rate at which the loss began to diverge; infinite if it did not.

        The sweep ended where the running mean, which is 1/(1 − β) updates late, had seen it; over
        a few long steps the loss explodes sooner than that.
        """
        if not self.cut_short or len(self.rates) < 2:
            return math.inf
        return float(self.rates[-1]) / min(math.exp(self.growth / (1.0 - self.beta)), _LATEST)

    def seen(self):
        """Returns the word for what was seen: a status of `RangeTest`, or "only rose"."""
        count = len(self.losses)
        at_once = self.cut_short and count <= 2 * self.head
        if count < max(_FEWEST_POINTS, self.head + 2):
            return "diverged at once" if at_once else "too few points"
        lowest = int(np.argmin(self.centred))
        fall = self.initial - float(self.centred[lowest])
        fell = fall > 1e-3 * abs(self.initial) and lowest >= self.head
        if not fell or fall_in_errors(self.losses, self.head) <= LEAST_FALL:
            if not self.cut_short:
                return "never fell"
            if at_once:
                return "diverged at once"
            rise = rise_in_deviations(self.losses, self.smoothed, self.head)
            return "only rose" if rise > _LEAST_RISE else "never fell"
        # What a mean gains after the losses have levelled off is no fall either.
        level = np.min(self.smoothed) + LEVEL * (self.initial - np.min(self.smoothed))
        fell_until = int(np.argmax(self.smoothed <= level))
        falls = fell_until >= count - max(self.head // 2, 1) and not self.cut_short
        return "still falling" if falls else "ok"


def mean_curve(curves):
    """Returns the mean of repeats, over the rates that all of them have.

    >>> long = Curve(np.array([1.0, 2.0, 4.0]), np.array([3.0, 2.0, 1.0]), 1)
    >>> short = Curve(np.array([1.0, 4.0]), np.array([5.0, 3.0]), 1, cut_short=True)
    >>> mean = mean_curve([long, short])
    >>> mean.rates.tolist(), mean.losses.tolist(), mean.cut_short
    ([1.0, 4.0], [4.0, 2.0], True)
    """
    first = curves[0]
    rates = functools.reduce(np.intersect1d, [curve.rates for curve in curves])
    losses = np.mean([c.losses[np.isin(c.rates, rates)] for c in curves], axis=0)
    cut_short = any(curve.cut_short for curve in curves)
    return Curve(rates, losses, first.head, first.beta, cut_short, first.momentum)
