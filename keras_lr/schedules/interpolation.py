"""Schedules through given points: one value per boundary, joined by lines or half cosines."""

import math

from keras_lr import checks
from keras_lr.schedules.base import Named
from keras_lr.schedules.evaluation import passed, real, whole
from keras_lr.schedules.fields import Milestones, Rates


class _Interpolation(Named):
    """The base of interpolations: each has a curve of its own between two points."""

    boundaries: Milestones
    values: Rates

    def check(self):
        if len(self.boundaries) < 2:
            checks.refuse("boundaries", "a list of 2 or more", list(self.boundaries))
        if len(self.values) != len(self.boundaries):
            required = f"one for each of the {len(self.boundaries)} boundaries"
            checks.refuse("values", required, list(self.values))

    def curve(self, u, xp):
        """Returns how far the rate is on its way from one value to the next, 0 to 1, at u."""
        raise NotImplementedError(f"{type(self).__name__} must define `curve(self, u, xp)`.")

    def rate(self, t, xp):
        piece = xp.clip(passed(self.boundaries, t, xp) - 1, 0, len(self.boundaries) - 2)
        spans = tuple(end - begin for begin, end in zip(self.boundaries, self.boundaries[1:]))
        # Offsets are subtracted as whole numbers: exact beyond 2²⁴ on JAX too.
        since = t - xp.take(whole(self.boundaries, xp), piece)
        c = self.curve(xp.clip(since / xp.take(real(spans, xp), piece), 0.0, 1.0), xp)
        values = real(self.values, xp)
        return xp.take(values, piece) * (1.0 - c) + xp.take(values, piece + 1) * c

    @property
    def length(self):
        return self.boundaries[-1]

    def _marks(self, last):
        return ((boundary, "boundary") for boundary in self.boundaries[:-1])


class PiecewiseLinear(_Interpolation):
    """Straight lines through points: `values[i]` at update `boundaries[i]`, held outside.

    `v[i] * (1 - c) + v[i + 1] * c` with c = u = (t - b[i]) / (b[i + 1] - b[i]) between boundaries
    b[i] and b[i + 1]. At least 2 boundaries, whole updates, strictly increasing; a value for each.

    >>> from keras_lr.schedules import PiecewiseLinear
    >>> PiecewiseLinear([1, 3, 7], [0.0, 1.0, 0.5]).rates(9).tolist()
    [0.0, 0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.5]
    """

    def curve(self, u, xp):
        return u


class PiecewiseCosine(_Interpolation):
    """Half cosines through points, flat at each: `values[i]` at update `boundaries[i]`.

    Like `PiecewiseLinear`, with c = (1 - cos(pi * u)) / 2.

    >>> from keras_lr.schedules import PiecewiseCosine
    >>> PiecewiseCosine([0, 2, 6], [0.0, 1.0, 0.5]).rates(8).round(4).tolist()
    [0.0, 0.5, 1.0, 0.9268, 0.75, 0.5732, 0.5, 0.5]
    """

    def curve(self, u, xp):
        return 0.5 * (1.0 - xp.cos(math.pi * u))
