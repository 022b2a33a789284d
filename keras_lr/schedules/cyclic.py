"""Schedules that repeat, and single cycles such as one-cycle."""

import dataclasses
import math
from typing import Annotated

import numpy as np

from keras_lr import checks
from keras_lr.schedules.base import Named, operation
from keras_lr.schedules.coerce import Nested
from keras_lr.schedules.evaluation import passed, power, real, whole, whole_periods
from keras_lr.schedules.fields import Flag, Positive, Rate, Steps
from keras_lr.schedules.interpolation import PiecewiseCosine, PiecewiseLinear
from keras_lr.schedules.keras_schedules import cycle_table
from keras_lr.schedules.recipes import Recipe

_INSIDE = checks.Number(above=0, below=1)


@operation
class Repeat(Named):
    """A schedule restarted every `period` updates; cycles may get longer and lower.

    Cycle i lasts `period * period_multiplier ** i` updates, rounded to whole ones. In each cycle
    the clock of `schedule` runs from 0 to `period`, and its rate is multiplied by
    `amplitude_multiplier ** i`. `period_multiplier >= 1`; both multipliers are 1 by default. For a
    warmup in every cycle, repeat a schedule that has one: `Repeat(schedule.with_warmup(10), 100)`.

    >>> from keras_lr.schedules import LinearDecay, Repeat
    >>> Repeat(LinearDecay(1.0, 2), 2, 2.0, 0.5).rates(8).tolist()
    [1.0, 0.5, 0.5, 0.375, 0.25, 0.125, 0.25, 0.21875]
    """

    schedule: Nested
    period: Steps
    period_multiplier: Annotated[float, checks.Number(minimum=1)] = 1.0
    amplitude_multiplier: Rate = 1.0

    def prepare(self):
        if self.period_multiplier == 1:
            return {}
        begins, lengths = cycle_table("period_multiplier", self.period, self.period_multiplier)
        ends = np.floor(np.round(begins + lengths, 5) + 0.5)
        begins = np.concatenate([[0.0], ends[:-1]])
        within = begins < 2**31
        # The first update of each cycle, and how many times slower than the first cycle it is.
        return {"_cycles": (begins[within], ((ends - begins) / self.period)[within])}

    def rate(self, t, xp):
        cycle, clock = self._cycle_and_clock(t, xp)
        rate = self.schedule.rate(clock, xp)
        if self.amplitude_multiplier == 1:
            return rate
        return rate * power(self.amplitude_multiplier, cycle, xp)

    def _cycle_and_clock(self, t, xp):
        if self.period_multiplier == 1:
            cycle = whole_periods(t, self.period, xp)
            return cycle, t - cycle * self.period
        begins, slowness = self._cycles
        cycle = passed(begins[1:], t, xp)
        # Division, not multiplication, is exact where the cycles grow by whole factors.
        since = t - xp.take(whole(begins, xp), cycle)
        return real(cycle, xp), since / xp.take(real(slowness, xp), cycle)

    def _marks(self, last):
        inside = self.schedule.marks(min(self.period - 1, last))
        for begin, slowness in self._begins(last):
            yield begin, "restart"
            yield from ((begin + math.ceil(t * slowness), kind) for t, kind in inside)

    def _begins(self, last):
        if self.period_multiplier == 1:
            return ((begin, 1) for begin in range(0, last + 1, self.period))
        return zip(*(table[self._cycles[0] <= last].tolist() for table in self._cycles))


_MODES = ("triangular", "triangular2", "exp_range")


class CyclicalLearningRate(Named):
    """Triangles between two rates (Smith's CLR, arXiv 1506.01186).

    `initial_learning_rate * (1 - c) + maximal_learning_rate * c`, where c climbs from 0 to 1 in
    `step_size` updates and falls back to 0 in `step_size_down` (by default the same number).
    `mode` may be "triangular"; "triangular2", c times 2 ** (1 - cycle) with cycle = 1, 2, …; or
    "exp_range", c times `gamma` ** t, 0 < gamma <= 1.

    >>> from keras_lr.schedules import CyclicalLearningRate
    >>> CyclicalLearningRate(0.0, 1.0, 2, mode="triangular2").rates(9).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25, 0.0]
    >>> CyclicalLearningRate(0.0, 1.0, 1, step_size_down=3).rates(5).round(3).tolist()
    [0.0, 1.0, 0.667, 0.333, 0.0]
    """

    initial_learning_rate: Rate
    maximal_learning_rate: Rate
    step_size: Steps
    step_size_down: Steps | None = None
    mode: Annotated[str, checks.Choice(_MODES)] = "triangular"
    gamma: Annotated[float, checks.Number(above=0, maximum=1)] = 1.0

    def check(self):
        if self.gamma != 1 and self.mode != "exp_range":
            checks.refuse("gamma", "1.0 unless mode='exp_range'", self.gamma)

    def rate(self, t, xp):
        phase = t % self._period
        c = xp.minimum(phase / self.step_size, (self._period - phase) / self._down)
        if self.mode == "triangular2":
            c = c * 2.0 ** -whole_periods(t, self._period, xp)
        if self.mode == "exp_range":
            c = c * power(self.gamma, t, xp)
        return self.initial_learning_rate * (1.0 - c) + self.maximal_learning_rate * c

    @property
    def _down(self):
        return self.step_size if self.step_size_down is None else self.step_size_down

    @property
    def _period(self):
        return self.step_size + self._down

    def _marks(self, last):
        return ((restart, "restart") for restart in range(self._period, last + 1, self._period))


_CURVES = {"cosine": PiecewiseCosine, "linear": PiecewiseLinear}


class OneCycle(Recipe):
    """One climb from a low rate, then a fall to almost 0 (Smith's 1cycle, arXiv 1708.07120).

    `max_learning_rate / div_factor` at t = 0, `max_learning_rate` at W = `pct_start * total_steps`
    (rounded to a whole update), `max_learning_rate / (div_factor * final_div_factor)` at
    `total_steps`, joined by half cosines or lines (`anneal`: "cosine" or "linear"). With
    `three_phase=True` the fall mirrors the climb until 2 W, and then goes on to the end. Needs no
    `Warmup`: it climbs by t / W from a rate above 0.

    >>> from keras_lr.schedules import OneCycle
    >>> OneCycle(1.0, 10, pct_start=0.4, div_factor=4.0, anneal="linear").rates(7).round(4).tolist()
    [0.25, 0.4375, 0.625, 0.8125, 1.0, 0.8333, 0.6667]
    """

    max_learning_rate: Rate
    total_steps: Steps
    pct_start: Annotated[float, _INSIDE] = 0.3
    div_factor: Positive = 25.0
    final_div_factor: Positive = 1e4
    anneal: Annotated[str, checks.Choice(tuple(_CURVES))] = "cosine"
    three_phase: Flag = False

    def expand(self):
        peak = math.floor(self.pct_start * self.total_steps + 0.5)
        initial = self.max_learning_rate / self.div_factor
        points = {0: initial, peak: self.max_learning_rate}
        if self.three_phase:
            points[2 * peak] = initial
        if not 0 < peak <= max(points) < self.total_steps:
            raise ValueError(
                "`pct_start` must leave at least one update for each phase. "
                f"Received: pct_start={self.pct_start!r}, total_steps={self.total_steps!r}"
            )
        points[self.total_steps] = initial / self.final_div_factor
        return _CURVES[self.anneal](list(points), list(points.values()))

    def momentum(self, minimum=0.85, maximum=0.95):
        """Returns the inverse cycle for `MomentumSchedule`: high momentum where the rate is low.

        From `maximum` at t = 0 to `minimum` at the peak of the rate, and back to `maximum`.

        >>> from keras_lr.schedules import OneCycle
        >>> cycle = OneCycle(1.0, 8, pct_start=0.25, anneal="linear")
        >>> cycle.momentum().rates([0, 1, 2, 5, 8]).round(3).tolist()
        [0.95, 0.9, 0.85, 0.9, 0.95]
        """
        low = checks.Number(above=0, below=1)("minimum", minimum)
        high = checks.Number(minimum=low, below=1)("maximum", maximum)
        mirrored = dataclasses.replace(
            self, max_learning_rate=high, div_factor=high / low, final_div_factor=1.0
        )
        return low + high - mirrored


class SlantedTriangular(Recipe):
    """A short climb and a long fall, both linear (ULMFiT, arXiv 1801.06146).

    `peak / ratio` at t = 0, `peak` at `cut * total_steps` (rounded to a whole update), and
    `peak / ratio` again at `total_steps`.

    >>> from keras_lr.schedules import SlantedTriangular
    >>> SlantedTriangular(1.0, 6, cut=1 / 3, ratio=2.0).rates(7).tolist()
    [0.5, 0.75, 1.0, 0.875, 0.75, 0.625, 0.5]
    """

    peak: Rate
    total_steps: Steps
    cut: Annotated[float, _INSIDE] = 0.1
    ratio: Annotated[float, checks.Number(minimum=1)] = 32.0

    def expand(self):
        cut = math.floor(self.cut * self.total_steps + 0.5)
        if not 0 < cut < self.total_steps:
            raise ValueError(
                "`cut` must leave at least one update each for climb and fall. Received: "
                f"cut={self.cut!r}, total_steps={self.total_steps!r}"
            )
        low = self.peak / self.ratio
        return PiecewiseLinear([0, cut, self.total_steps], [low, self.peak, low])
