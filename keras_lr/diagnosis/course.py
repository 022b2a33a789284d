"""`Course`: how a curve went, in numbers that the rules compare: levels, noise, gain, trends."""

import functools
import math
from typing import NamedTuple

import numpy as np

# A rule looks at so many points at most, means of equal parts of the run; of losses of single
# batches at fewer, so that each is a mean of some.
_MOST_EPOCHS, _MOST_PARTS = 200, 40
# A normal distribution's deviation in terms of the median of |x|, and what a normal noise's second
# differences x[i] − (x[i−1] + x[i+1])/2 are larger by.
_SIGMA, _SECOND = 1.4826, math.sqrt(1.5)
# What is less than that part of the largest loss is rounding.
_ROUNDING = 1e-6
# So many standard errors are no chance.
CLEAR = 3.5


class Trend(NamedTuple):
    """The fall along a straight line through some points, and its standard error."""

    fall: float
    error: float

    @property
    def is_clear(self):
        """Tells whether it falls, by more than chance."""
        return self.fall > CLEAR * self.error


class Course:
    """A loss, point by point, and what is measured on it; all is in differences of losses.

    `initial` is the loss before the first point, if known. Only finite losses count; `places` has
    where in the run each of `levels` ends, in points.

    >>> course = Course(np.array([4.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]))
    >>> course.gain, course.noise(), course.has_fallen
    (3.0, 0.0, True)
    """

    def __init__(self, losses, initial=None, unit="epoch"):
        finite = np.isfinite(losses)
        where = np.flatnonzero(finite)
        self.length = len(losses)
        most = _MOST_EPOCHS if unit == "epoch" else _MOST_PARTS
        self.levels, ends = means_of_parts(np.asarray(losses, "float64")[where], most)
        self.places = where[ends - 1] + 1 if len(where) else np.zeros(0, int)
        self.initial = initial if initial is not None and math.isfinite(initial) else None

    def __len__(self):
        return len(self.levels)

    def noise(self, part=slice(None)):
        """Returns the standard deviation of what goes up and down from one level to the next.

        See `noise_of`; what is but rounding is 0.
        """
        noise = noise_of(self.levels[part])
        return 0.0 if noise <= self._rounding else noise

    @functools.cached_property
    def _rounding(self):
        return _ROUNDING * float(np.max(np.abs(self.levels), initial=0.0))

    @functools.cached_property
    def late(self):
        """The last half of the levels."""
        return slice(len(self) // 2, None)

    @functools.cached_property
    def late_noise(self):
        """The noise of the last half."""
        return self.noise(self.late)

    @functools.cached_property
    def start(self):
        """The loss before training, or the first one known."""
        return float(self.levels[0]) if self.initial is None else float(self.initial)

    @functools.cached_property
    def smoothed(self):
        """The levels without the shortest ups and downs: means of a twentieth of them."""
        return _centred_means(self.levels, max(len(self) // 20, 1))

    @functools.cached_property
    def lowest(self):
        """Which level is the lowest, smoothed."""
        return int(np.argmin(self.smoothed))

    @functools.cached_property
    def gain(self):
        """What the loss has fallen by, from the start to the lowest; 0 if it is but rounding."""
        gain = self.start - float(self.smoothed[self.lowest])
        return gain if gain > self._rounding else 0.0

    def trend(self, part=slice(None)):
        """Returns the `Trend` of a part, by least squares."""
        levels = self.levels[part]
        count = len(levels)
        if count < 3:
            return Trend(0.0, math.inf)
        steps = np.arange(count) - (count - 1) / 2.0
        squares = float(np.sum(steps**2))
        slope = float(np.sum(steps * (levels - levels[0]))) / squares
        error = self.noise(part) / math.sqrt(squares) * (count - 1)
        return Trend(-slope * (count - 1), max(error, self._rounding))

    @functools.cached_property
    def end(self):
        """The last quarter of the levels, or four."""
        return slice(len(self) - min(max(len(self) // 4, 4), len(self)), None)

    @functools.cached_property
    def last_trend(self):
        """The trend of the last quarter."""
        return self.trend(self.end)

    @functools.cached_property
    def change(self):
        """How far the loss has fallen beyond chance, in standard errors; negative if it rose."""
        count = len(self)
        if count < 2:
            return 0.0
        quarter = max(count // 4, 1)
        noise = max(self.noise(), self._rounding)
        if noise == 0.0:
            return 0.0
        first, last = np.mean(self.levels[:quarter]), np.mean(self.levels[-quarter:])
        slow = (first - last) / (noise * math.sqrt(2.0 / quarter))
        # One large fall at the beginning, which the means of quarters dilute.
        fast = (self.start - np.mean(self.levels[self.late])) / (1.3 * noise)
        return float(slow if abs(slow) > abs(fast) else fast)

    @functools.cached_property
    def has_fallen(self):
        """Tells whether the loss has fallen, by more than chance."""
        return self.gain > 0.0 and self.change > CLEAR

    @functools.cached_property
    def is_flat(self):
        """Tells whether every loss is the same, but for rounding."""
        return float(np.ptp(self.levels)) <= self._rounding

    def place(self, level):
        """Returns the point, counted from 1, at which a level ends."""
        return int(self.places[level])


def noise_of(values):
    """Returns the standard deviation of what goes up and down from one value to the next.

    By the median of second differences, which neither a trend nor a few spikes change.

    >>> round(noise_of(np.tile([1.0, -1.0], 9)), 2)  # a swing counts as noise
    2.42
    >>> noise_of(np.arange(9.0))
    0.0
    """
    if len(values) < 3:
        return 0.0
    second = np.abs(values[1:-1] - (values[:-2] + values[2:]) / 2.0)
    return float(_SIGMA * np.median(second) / _SECOND)


def means_of_parts(values, most):
    """Returns the means of `most` equal parts of an array, or itself, and where each part ends.

    >>> [part.tolist() for part in means_of_parts(np.arange(6.0), 3)]
    [[0.5, 2.5, 4.5], [2, 4, 6]]
    """
    count = len(values)
    if count <= most:
        return values, np.arange(1, count + 1)
    edges = np.arange(most + 1) * count // most
    return np.add.reduceat(values, edges[:-1]) / np.diff(edges), edges[1:]


def _centred_means(values, width):
    if width < 2:
        return values
    sums, weights = (np.convolve(a, np.ones(width)) for a in (values, np.ones(len(values))))
    begin = (width - 1) // 2
    return (sums / weights)[begin : begin + len(values)]
