"""`Run`: what the rules read: the courses of both losses, and the rate beside them."""

import functools

import numpy as np

from keras_lr.diagnosis.course import Course, noise_of

# A rate that falls by a fifth at once, after two points at one level, was cut.
_CUT, _SAME = 0.8, 1e-5


class Run:
    """The curves of a run and what several rules measure on them, each once.

    `loss` and `val` are the courses of the training and the validation loss (None without one),
    `rate` the rates, or None where fewer than two are known.
    """

    def __init__(self, curves):
        self.curves, self.unit = curves, curves.unit
        self.loss = Course(curves.loss, curves.initial, curves.unit)
        val = curves.val_loss
        has_val = val is not None and bool(np.any(np.isfinite(val)))
        self.val = Course(val, None, curves.unit) if has_val else None
        rate = curves.rate
        known = rate is not None and len(rate) > 1 and bool(np.all(np.isfinite(rate)))
        self.rate = rate if known and float(np.max(rate)) > 0 else None

    def scale(self, course):
        """Returns what has been gained, of the training loss where that is more."""
        return max(course.gain, self.loss.gain)

    @functools.cached_property
    def noise_of_points(self):
        """The noise of single points, be there ever so many."""
        losses = self.curves.loss
        return noise_of(losses[np.isfinite(losses)])

    @functools.cached_property
    def noise_of_parts(self):
        """What the noise of levels would be, were the points' chance alone; 0 for epochs."""
        count, levels = len(self.curves.loss), max(len(self.loss), 1)
        return self.noise_of_points / np.sqrt(count / levels) if self.unit == "update" else 0.0

    # The rate

    @functools.cached_property
    def peak_rate(self):
        """The highest rate; None if none is known."""
        return None if self.rate is None else float(np.max(self.rate))

    @functools.cached_property
    def last_rate(self):
        """The last rate; None if none is known."""
        return None if self.rate is None else float(self.rate[-1])

    @property
    def has_come_down(self):
        """Tells whether the rate is known to have ended at a tenth of its peak or less."""
        return self.rate is not None and self.last_rate <= 0.1 * self.peak_rate

    @functools.cached_property
    def cuts(self):
        """The points, counted from 0, from which a rate that had stood still was lower at once."""
        if self.rate is None:
            return np.zeros(0, int)
        before, after = self.rate[:-1], self.rate[1:]
        stood = np.append(True, np.abs(before[1:] - before[:-1]) <= _SAME * before[1:])
        return np.flatnonzero((after <= _CUT * before) & stood) + 1

    def rate_moves(self, begin, end):
        """Tells whether the rate changes, or is that of a warmup, from one point to another."""
        if self.rate is None:
            return False
        part = self.rate[max(begin - 1, 0) : end + 1]
        # The rate of a warmup is low at first.
        low = part[0] <= 0.5 * float(np.max(self.rate)) and np.argmax(self.rate) > begin
        return bool(low or np.ptp(part) > 0.2 * np.max(part))

    def rate_rises_at(self, point):
        """Returns by what factor the rate rises just before a point; None if it does not."""
        if self.rate is None or point < 1:
            return None
        before, after = self.rate[max(point - 2, 0)], self.rate[point]
        return float(after / before) if before > 0 and after > 1.2 * before else None

    def levels_from(self, point):
        """Returns which levels begin at a point, counted from 0, or later."""
        return slice(int(np.searchsorted(self.loss.places, point, side="right")), None)
