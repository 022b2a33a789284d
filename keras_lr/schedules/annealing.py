"""Decays that reach an end: a curve from 0 to 1 between an initial and an end rate."""

import math
from typing import Annotated

from keras_lr import checks
from keras_lr.schedules.base import Named
from keras_lr.schedules.fields import Length, Positive, Rate

# Beyond, tanh is ±1 in float64 too; within, float32 knows the argument to a millionth.
_NOT_FLAT = checks.Number(minimum=-20, maximum=20)
_LEAST_RISE = 0.05


class Annealing(Named):
    """The base of decays that reach an end: `initial * (1 - c) + end * c` with `c = curve(u)`.

    u = min(t / decay_steps, 1). A curve climbs from 0 at u = 0 to 1 at u = 1, so both ends are
    exact, and `end_learning_rate` is held after `decay_steps`.
    """

    initial_learning_rate: Rate
    decay_steps: Length
    end_learning_rate: Rate = 0.0

    def curve(self, u, xp):
        """Returns how far the rate is on its way to the end rate, 0 to 1, at u."""
        raise NotImplementedError(f"{type(self).__name__} must define `curve(self, u, xp)`.")

    def rate(self, t, xp):
        c = self.curve(xp.clip(t / self.decay_steps, 0.0, 1.0), xp)
        return self.initial_learning_rate * (1.0 - c) + self.end_learning_rate * c

    @property
    def length(self):
        return self.decay_steps


class LinearDecay(Annealing):
    """A straight line to `end_learning_rate`: c = u, u = min(t / decay_steps, 1).

    The first schedule to try when the length of the run is known (arXiv 2310.07831).

    >>> from keras_lr.schedules import LinearDecay
    >>> LinearDecay(1.0, 4, 0.5).rates(6).tolist()
    [1.0, 0.875, 0.75, 0.625, 0.5, 0.5]
    """

    def curve(self, u, xp):
        return u

    @classmethod
    def from_rate(cls, initial_learning_rate, rate, end_learning_rate=0.0) -> "LinearDecay":
        """Returns `max(initial_learning_rate - rate * t, end_learning_rate)`.

        >>> from keras_lr.schedules import LinearDecay
        >>> LinearDecay.from_rate(1.0, 0.25).rates(6).tolist()
        [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
        """
        initial = checks.RATE("initial_learning_rate", initial_learning_rate)
        end = checks.Number(minimum=0, below=initial)("end_learning_rate", end_learning_rate)
        return cls(initial, (initial - end) / checks.POSITIVE("rate", rate), end)


class SqrtDecay(Annealing):
    """Falls fast, then slowly: c = sqrt(u), u = min(t / decay_steps, 1) (arXiv 2405.18392).

    >>> from keras_lr.schedules import SqrtDecay
    >>> SqrtDecay(1.0, 100).rates([0, 25, 100]).tolist()
    [1.0, 0.5, 0.0]
    """

    def curve(self, u, xp):
        return xp.sqrt(u)


class RexDecay(Annealing):
    """Stays high, then falls fast: 1 - c = (1 - u) / (1 - beta * u) (arXiv 2107.04197).

    u = min(t / decay_steps, 1); 0 <= beta < 1, and beta = 0 is linear.

    >>> from keras_lr.schedules import RexDecay
    >>> RexDecay(1.0, 3).rates([0, 1, 2, 3]).round(3).tolist()
    [1.0, 0.8, 0.5, 0.0]
    """

    beta: Annotated[float, checks.Number(minimum=0, below=1)] = 0.5

    def rate(self, t, xp):
        # The end is steep, and 1 - u too coarse in float32: count the updates that remain.
        v = xp.clip((self.decay_steps - t) / self.decay_steps, 0.0, 1.0)
        # 1 - beta is taken in float64: in float32 it may be 0.
        w = v / ((1.0 - self.beta) + self.beta * v)
        return self.initial_learning_rate * w + self.end_learning_rate * (1.0 - w)


class TanhDecay(Annealing):
    """A hyperbolic tangent between `lower` and `upper` (arXiv 1806.01593).

    c = (tanh x - tanh lower) / (tanh upper - tanh lower) with x = lower * (1 - u) + upper * u and
    u = min(t / decay_steps, 1), so that both ends are reached exactly. -20 <= lower < upper <= 20,
    and the tangent must rise by at least 0.05 between them: where it is flatter, float32 has too
    few digits for its shape.

    >>> from keras_lr.schedules import TanhDecay
    >>> TanhDecay(1.0, 10, lower=-3.0, upper=3.0).rates([0, 5, 10]).round(6).tolist()
    [1.0, 0.5, 0.0]
    """

    lower: Annotated[float, _NOT_FLAT] = -6.0
    upper: Annotated[float, _NOT_FLAT] = 3.0

    def check(self):
        if not self.lower < self.upper:
            checks.refuse("upper", f"> lower = {self.lower}", self.upper)
        if math.tanh(self.upper) - math.tanh(self.lower) < _LEAST_RISE:
            flat = f"where tanh is {_LEAST_RISE} above tanh(lower), lower = {self.lower}, or more"
            checks.refuse("upper", f"{flat} (it is flat there)", self.upper)

    def curve(self, u, xp):
        low, high = math.tanh(self.lower), math.tanh(self.upper)
        return (xp.tanh(self.lower * (1.0 - u) + self.upper * u) - low) / (high - low)


class KDecay(Annealing):
    """A cosine of a power of time: c = (1 - cos(pi * u ** k)) / 2 (arXiv 2004.05909).

    u = min(t / decay_steps, 1). k = 1 is the plain cosine; a larger k stays high for longer.

    >>> from keras_lr.schedules import KDecay
    >>> KDecay(1.0, 4, k=2.0).rates(5).round(4).tolist()
    [1.0, 0.9904, 0.8536, 0.4025, 0.0]
    """

    k: Positive = 1.0

    def curve(self, u, xp):
        return 0.5 * (1.0 - xp.cos(math.pi * u**self.k))
