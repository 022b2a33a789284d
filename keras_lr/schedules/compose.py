"""Schedules made of schedules: in sequence, after a warmup, clipped, on another clock."""

import dataclasses
import math
from typing import Annotated

from keras_lr import checks
from keras_lr.schedules.base import Named, operation
from keras_lr.schedules.coerce import Nested, Nesteds
from keras_lr.schedules.fields import Flag, Milestones, Positive, Rate, Real, Steps, StepsFromZero


class Sequential(Named):
    """One schedule after another; each starts at its own 0 when its boundary is reached.

    `schedules[0]` runs until update `boundaries[0]`, then `schedules[1]`, and so on. Boundaries
    are absolute and strictly increasing; there is one fewer than schedules.

    >>> from keras_lr.schedules import Constant, LinearDecay, Sequential
    >>> Sequential([Constant(1.0), LinearDecay(0.5, 4)], [2]).rates(7).tolist()
    [1.0, 1.0, 0.5, 0.375, 0.25, 0.125, 0.0]
    """

    schedules: Nesteds
    boundaries: Milestones

    def check(self):
        if len(self.boundaries) != len(self.schedules) - 1:
            required = f"one fewer than the {len(self.schedules)} schedules"
            checks.refuse("boundaries", required, list(self.boundaries))

    def rate(self, t, xp):
        rate = self.schedules[0].rate(t, xp)
        for begin, schedule in zip(self.boundaries, self.schedules[1:]):
            rate = xp.where(t < begin, rate, schedule.rate(xp.maximum(t - begin, 0), xp))
        return rate

    @property
    def length(self):
        return _plus(self.schedules[-1].length, self.boundaries[-1])

    def _marks(self, last):
        begins, ends = (0, *self.boundaries), (*self.boundaries, last + 1)
        for begin, end, schedule in zip(begins, ends, self.schedules):
            yield begin, "boundary"
            room = max(min(end - 1, last) - begin, 0)
            inside = schedule._marks(room)
            yield from ((begin + t, word) for t, word in inside if 0 < t <= room)


@operation
class Warmup(Named):
    """A climb from `start` to any schedule, which starts at its own 0 after the warmup.

    `start + (peak - start) * c(u)` with u = (t + 1) / warmup_steps: no update is wasted at rate 0,
    and the last warmup update has the peak, the rate of `schedule` at 0. `shape` is the shape of
    the climb: "linear", c = u; "cosine", c = (1 - cos(pi * u)) / 2; "polynomial", c = u ** power;
    or "exponential", `start * (peak / start) ** u` with `start > 0`. With `overlay=True` the clock
    of `schedule` runs during the warmup, and the peak is its rate at t.

    >>> from keras_lr.schedules import LinearDecay, Warmup
    >>> Warmup(LinearDecay(1.0, 4), 4).rates(9).tolist()
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    >>> Warmup(LinearDecay(1.0, 4), 2, overlay=True).rates(4).tolist()
    [0.5, 0.75, 0.5, 0.25]
    """

    schedule: Nested
    warmup_steps: StepsFromZero
    start: Rate = 0.0
    shape: Annotated[str, checks.Choice(("linear", "exponential", "cosine", "polynomial"))] = (
        "linear"
    )
    overlay: Flag = False
    power: Positive = dataclasses.field(default=2.0, kw_only=True)

    def check(self):
        if self.shape == "exponential" and self.start == 0:
            checks.refuse("start", "> 0 for an exponential warmup", self.start)

    def rate(self, t, xp):
        clock = t if self.overlay else xp.maximum(t - self.warmup_steps, 0)
        peak = self.schedule.rate(clock, xp)
        u = xp.clip((t + 1) / max(self.warmup_steps, 1), 0.0, 1.0)
        if self.shape == "exponential":
            climb = self.start * (peak / self.start) ** u
        else:
            c = self._curve(u, xp)
            climb = self.start * (1.0 - c) + peak * c
        return xp.where(t < self.warmup_steps - 1, climb, peak)

    def _curve(self, u, xp):
        if self.shape == "cosine":
            return 0.5 * (1.0 - xp.cos(math.pi * u))
        return u if self.shape == "linear" else u**self.power

    @property
    def length(self):
        if self.overlay and self.schedule.length is not None:
            return max(self.schedule.length, self.warmup_steps - 1)
        return _plus(self.schedule.length, self.warmup_steps)

    def _marks(self, last):
        yield self.warmup_steps, "warmup end"
        shift = 0 if self.overlay else self.warmup_steps
        yield from _later(self.schedule._marks(last), shift)


@operation
class Clip(Named):
    """A schedule held between `minimum` and `maximum`; either may be None.

    >>> from keras_lr.schedules import LinearDecay
    >>> LinearDecay(1.0, 4).clip(0.3, 0.8).rates(5).tolist()
    [0.8, 0.75, 0.5, 0.3, 0.3]
    """

    schedule: Nested
    minimum: Real | None = None
    maximum: Real | None = None

    def check(self):
        low, high = self.minimum, self.maximum
        if low is None and high is None:
            checks.refuse("minimum", "given, or maximum", None)
        if low is not None and high is not None and low > high:
            checks.refuse("maximum", f">= minimum = {low}", high)

    def rate(self, t, xp):
        rate = self.schedule.rate(t, xp)
        rate = rate if self.minimum is None else xp.maximum(rate, self.minimum)
        return rate if self.maximum is None else xp.minimum(rate, self.maximum)

    @property
    def length(self):
        return self.schedule.length

    def _marks(self, last):
        return self.schedule._marks(last)


@operation
class Shift(Named):
    """A schedule that starts `steps` updates later: `schedule(max(t - steps, 0))`.

    >>> from keras_lr.schedules import LinearDecay
    >>> LinearDecay(1.0, 2).shift(2).rates(5).tolist()
    [1.0, 1.0, 1.0, 0.5, 0.0]
    """

    schedule: Nested
    steps: StepsFromZero

    def rate(self, t, xp):
        return self.schedule.rate(xp.maximum(t - self.steps, 0), xp)

    @property
    def length(self):
        return _plus(self.schedule.length, self.steps)

    def _marks(self, last):
        return _later(self.schedule._marks(last), self.steps)


@operation
class Stretch(Named):
    """A schedule slowed down: `schedule(t / factor)`.

    With the number of updates per epoch as `factor`, a schedule in epochs becomes one in updates.
    t / factor is a real number; on JAX it is float32, so counts are exact up to 2²⁴ only.

    >>> from keras_lr.schedules import LinearDecay
    >>> LinearDecay(1.0, 2).stretch(2).rates(5).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """

    schedule: Nested
    factor: Positive

    def rate(self, t, xp):
        return self.schedule.rate(t / self.factor, xp)

    @property
    def length(self):
        length = self.schedule.length
        stretched = math.inf if length is None else length * self.factor
        return None if math.isinf(stretched) else math.ceil(stretched)

    def _marks(self, last):
        inside = self.schedule._marks(math.ceil(last / self.factor))
        return ((math.ceil(t * self.factor), word) for t, word in inside)


@operation
class Hold(Named):
    """A staircase: the rate at the last multiple of `every`, `schedule(t - t % every)`.

    >>> from keras_lr.schedules import LinearDecay
    >>> LinearDecay(1.0, 4).hold(2).rates(6).tolist()
    [1.0, 1.0, 0.5, 0.5, 0.0, 0.0]
    """

    schedule: Nested
    every: Steps

    def rate(self, t, xp):
        return self.schedule.rate(t - t % self.every, xp)

    @property
    def length(self):
        length = self.schedule.length
        return None if length is None else math.ceil(length / self.every) * self.every

    def _marks(self, last):
        # What begins within a stair shows at the next stair.
        inside = self.schedule._marks(last)
        return ((-(-t // self.every) * self.every, word) for t, word in inside)


@operation
def followed(schedule, other, at):
    """Returns `schedule` until update `at`, then `other`; a `Sequential` gets one more piece."""
    if type(schedule) is not Sequential:
        return Sequential((schedule, other), (at,))
    return Sequential((*schedule.schedules, other), (*schedule.boundaries, at))


def _plus(length, steps):
    return None if length is None else length + steps


def _later(marks, steps):
    return ((t + steps, word) for t, word in marks if t > 0)
