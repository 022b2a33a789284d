"""The six schedules that Keras has, under its names, with its arguments and its results.

They add composition, vectorisation, durations in epochs, and the right value where Keras is wrong
(integer rates, arrays of steps under warmup, restarts, steps above 2²⁴).
"""

import dataclasses
import math
from typing import Annotated

import numpy as np

from keras_lr import checks
from keras_lr.schedules.base import Schedule, named
from keras_lr.schedules.evaluation import passed, power, real, whole, whole_periods
from keras_lr.schedules.fields import (
    Flag,
    Length,
    Milestones,
    Positive,
    Rate,
    Rates,
    StepsFromZero,
    Text,
)

_MOST_RESTARTS = 10**6


def periods(schedule, t, xp):
    """Returns how many `decay_steps` have passed; on a staircase, how many whole ones."""
    steps = schedule.decay_steps
    return whole_periods(t, steps, xp) if schedule.staircase else t / steps


class ExponentialDecay(Schedule):
    """Keras' exponential decay: `initial_learning_rate * decay_rate ** (t / decay_steps)`.

    `staircase=True` takes the floor of the exponent. `end_learning_rate`, which Keras does not
    have, is the lowest rate, or the highest if `decay_rate > 1`.

    >>> from keras_lr.schedules import ExponentialDecay
    >>> ExponentialDecay(0.8, 2, 0.25).rates(5).tolist()
    [0.8, 0.4, 0.2, 0.1, 0.05]
    >>> ExponentialDecay(0.8, 1, 0.5, end_learning_rate=0.3).rates(4).tolist()
    [0.8, 0.4, 0.3, 0.3]
    """

    initial_learning_rate: Rate
    decay_steps: Length
    decay_rate: Positive
    staircase: Flag = False
    name: Text = named(default="ExponentialDecay")
    end_learning_rate: Rate | None = dataclasses.field(default=None, kw_only=True)

    def rate(self, t, xp):
        rate = self.initial_learning_rate * power(self.decay_rate, periods(self, t, xp), xp)
        if self.end_learning_rate is None:
            return rate
        bounded = xp.maximum if self.decay_rate <= 1 else xp.minimum
        return bounded(rate, self.end_learning_rate)


class InverseTimeDecay(Schedule):
    """Keras' inverse time decay: `initial_learning_rate / (1 + decay_rate * t / decay_steps)`.

    `staircase=True` takes the floor of `t / decay_steps`.

    >>> from keras_lr.schedules import InverseTimeDecay
    >>> InverseTimeDecay(0.6, 10, 0.5).rates([0, 20, 100]).round(4).tolist()
    [0.6, 0.3, 0.1]
    """

    initial_learning_rate: Rate
    decay_steps: Length
    decay_rate: Rate
    staircase: Flag = False
    name: Text = named(default="InverseTimeDecay")

    def rate(self, t, xp):
        return self.initial_learning_rate / (1.0 + self.decay_rate * periods(self, t, xp))


class PolynomialDecay(Schedule):
    """Keras' polynomial decay: `(initial_learning_rate - end) * (1 - t / T) ** power + end`.

    T is `decay_steps`, and the end value is held after it. With `cycle=True`, T is the next
    multiple of `decay_steps` at or after t, so the rate jumps up again after each. Keras' default
    is `end_learning_rate=0.0001`, not 0.

    >>> from keras_lr.schedules import PolynomialDecay
    >>> PolynomialDecay(1.0, 4, 0.0, power=2.0).rates(6).tolist()
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    >>> PolynomialDecay(1.0, 4, 0.0, cycle=True).rates([4, 6, 8]).tolist()
    [0.0, 0.25, 0.0]
    """

    initial_learning_rate: Rate
    decay_steps: Length
    end_learning_rate: Rate = 0.0001
    power: Positive = 1.0
    cycle: Flag = False
    name: Text = named(default="PolynomialDecay")

    def rate(self, t, xp):
        cycles = xp.maximum(-whole_periods(-t, self.decay_steps, xp), 1) if self.cycle else 1
        end = self.decay_steps * cycles
        # Not 1 - t / T, which is too coarse in float32 when the power is below 1.
        w = (xp.maximum(end - t, 0) / end) ** self.power
        return self.initial_learning_rate * w + self.end_learning_rate * (1.0 - w)

    @property
    def length(self):
        return None if self.cycle else self.decay_steps

    def _marks(self, last):
        cycles = int(last // self.decay_steps) if self.cycle and self.decay_steps >= 1 else 0
        # At a multiple of `decay_steps` the rate is still low; the jump is one update later.
        return ((math.floor(i * self.decay_steps) + 1, "restart") for i in range(1, cycles + 1))


class CosineDecay(Schedule):
    """Keras' cosine decay, with its warmup (arXiv 1608.03983).

    `peak * ((1 - alpha) * (1 + cos(pi * min(t / decay_steps, 1))) / 2 + alpha)`, where the peak is
    `initial_learning_rate` and alpha the lowest rate as a fraction of the peak. If `warmup_target`
    is given, it is the peak: the rate first climbs to it from `initial_learning_rate` by
    t / `warmup_steps`, and then the cosine starts at its own 0. These are Keras' results;
    `Warmup(CosineDecay(…), n)` does not waste the first update at rate 0.

    >>> from keras_lr.schedules import CosineDecay
    >>> CosineDecay(1.0, 4).rates(6).round(4).tolist()
    [1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    >>> CosineDecay(0.0, 4, warmup_target=1.0, warmup_steps=2).rates(4).round(4).tolist()
    [0.0, 0.5, 1.0, 0.8536]
    """

    initial_learning_rate: Rate
    decay_steps: Length
    alpha: Rate = 0.0
    name: Text = named(default="CosineDecay")
    warmup_target: Rate | None = None
    warmup_steps: StepsFromZero = 0

    def rate(self, t, xp):
        warm = 0 if self.warmup_target is None else self.warmup_steps
        peak = self.initial_learning_rate if self.warmup_target is None else self.warmup_target
        cosine = 1.0 + xp.cos(math.pi * xp.minimum((t - warm) / self.decay_steps, 1.0))
        decayed = peak * (0.5 * (1.0 - self.alpha) * cosine + self.alpha)
        if warm == 0:
            return decayed
        climb = t / warm
        climbed = self.initial_learning_rate * (1.0 - climb) + peak * climb
        return xp.where(t < warm, climbed, decayed)

    @property
    def length(self):
        return self.decay_steps + (0 if self.warmup_target is None else self.warmup_steps)

    def _marks(self, last):
        return iter([] if self.warmup_target is None else [(self.warmup_steps, "warmup end")])


def cycle_table(name, first, growth):
    """Returns the begin and the length of each cycle below 2³¹ updates, `growth` > 1."""
    # Where the second cycle is longer than all updates, there is no third.
    ends = math.log1p(2.0**31 * (growth - 1) / first) if growth < 2**31 else 0.0
    count = max(math.ceil(ends / math.log(growth)) + 1, 2)
    if count > _MOST_RESTARTS:
        raise ValueError(
            f"`{name}` must be 1, or so large that 2**31 updates hold at most {_MOST_RESTARTS} "
            f"cycles. Received: {name}={growth!r} with a first cycle of {first!r} updates"
        )
    lengths = first * growth ** np.arange(count)
    return np.concatenate([[0.0], np.cumsum(lengths)[:-1]]), lengths


class CosineDecayRestarts(Schedule):
    """Keras' cosine decay with warm restarts, SGDR (arXiv 1608.03983).

    Cycle i lasts `first_decay_steps * t_mul ** i` updates and falls from
    `initial_learning_rate * m_mul ** i` to `alpha * initial_learning_rate`. The restarts are a
    table of whole updates. Keras computes them by a logarithm and misses some by one:
    `CosineDecayRestarts(1.0, 1000, 1.1)` is 0 at update 2100 there, and 1 here.

    >>> from keras_lr.schedules import CosineDecayRestarts
    >>> CosineDecayRestarts(1.0, 2, t_mul=2.0, m_mul=0.5).rates(7).round(4).tolist()
    [1.0, 0.5, 0.5, 0.4268, 0.25, 0.0732, 0.25]
    >>> CosineDecayRestarts(1.0, 1000, t_mul=1.1).rates([2100, 3310]).tolist()
    [1.0, 1.0]
    """

    initial_learning_rate: Rate
    first_decay_steps: Length
    t_mul: Annotated[float, checks.Number(minimum=1)] = 2.0
    m_mul: Rate = 1.0
    alpha: Rate = 0.0
    name: Text = named(default="SGDRDecay")

    def rate(self, t, xp):
        cycle, phase = self._cycle_and_phase(t, xp)
        # Without this power, a million updates take a quarter less time.
        height = power(self.m_mul, cycle, xp) if self.m_mul != 1 else 1.0
        cosine = 0.5 * (1.0 + xp.cos(math.pi * xp.minimum(phase, 1.0))) * height
        return self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)

    def _cycle_and_phase(self, t, xp):
        if self.t_mul == 1:
            cycle = whole_periods(t, self.first_decay_steps, xp)
            return cycle, (t - cycle * self.first_decay_steps) / self.first_decay_steps
        firsts, fractions, lengths = self._cycles
        cycle = passed(firsts[1:], t, xp)
        since = t - xp.take(whole(firsts, xp), cycle) + xp.take(real(fractions, xp), cycle)
        return real(cycle, xp), since / xp.take(real(lengths, xp), cycle)

    def prepare(self):
        if self.t_mul == 1:
            return {}
        begins, lengths = cycle_table("t_mul", self.first_decay_steps, self.t_mul)
        # 1.1 has no exact binary form: a sum that is nearly a whole update is taken as one.
        firsts = np.ceil(np.round(begins, 5))
        within = firsts < 2**31
        # The first update of each cycle, how late it is, and the cycle's length.
        return {"_cycles": (firsts[within], (firsts - begins)[within], lengths[within])}

    def _marks(self, last):
        if self.first_decay_steps < 1:
            return iter(())
        if self.t_mul == 1:
            count = int(last // self.first_decay_steps)
            restarts = (math.ceil(i * self.first_decay_steps) for i in range(1, count + 1))
        else:
            restarts = (int(first) for first in self._cycles[0] if first <= last)
        return ((restart, "restart") for restart in restarts)


class PiecewiseConstantDecay(Schedule):
    """Keras' piecewise constant: `values[i]` up to and including update `boundaries[i]`.

    As in Keras, and unlike all other schedules here, a boundary b takes effect at t > b.

    >>> from keras_lr.schedules import PiecewiseConstantDecay
    >>> PiecewiseConstantDecay([2, 4], [0.1, 0.01, 0.001]).rates(6).tolist()
    [0.1, 0.1, 0.1, 0.01, 0.01, 0.001]
    """

    boundaries: Milestones
    values: Rates
    name: Text = named(default="PiecewiseConstant")

    def check(self):
        if len(self.values) != len(self.boundaries) + 1:
            checks.refuse(
                "values",
                f"one more than the {len(self.boundaries)} boundaries",
                list(self.values),
            )

    def rate(self, t, xp):
        return xp.take(real(self.values, xp), passed(self.boundaries, t, xp, side="left"))

    @property
    def length(self):
        return self.boundaries[-1] + 1

    def _marks(self, last):
        return ((boundary + 1, "boundary") for boundary in self.boundaries)
