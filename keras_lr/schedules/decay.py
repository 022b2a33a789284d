"""Closed-form decays besides the ones that Keras has; most of them never end."""

import dataclasses

from keras_lr.schedules.base import Named
from keras_lr.schedules.evaluation import passed, power, real, whole_periods
from keras_lr.schedules.fields import Flag, Length, Milestones, Positive, Rate, Steps
from keras_lr.schedules.keras_schedules import periods


class Constant(Named):
    """The same rate for ever: `learning_rate`.

    >>> from keras_lr.schedules import Constant
    >>> Constant(0.1).rates(3).tolist()
    [0.1, 0.1, 0.1]
    """

    learning_rate: Rate

    def rate(self, t, xp):
        return self.learning_rate * xp.ones_like(t)

    length = 0


class NaturalExponentialDecay(Named):
    """Decay by e: `initial_learning_rate * exp(-decay_rate * t / decay_steps)`.

    With `decay_rate=1` the rate falls to 1/e in `decay_steps` updates, the time constant.
    `staircase=True` takes the floor of `t / decay_steps`.

    >>> from keras_lr.schedules import NaturalExponentialDecay
    >>> NaturalExponentialDecay(1.0, 10, decay_rate=1.0).rates([0, 10, 20]).round(4).tolist()
    [1.0, 0.3679, 0.1353]
    """

    initial_learning_rate: Rate
    decay_steps: Length = 1
    decay_rate: Positive = dataclasses.field(kw_only=True)
    staircase: Flag = dataclasses.field(default=False, kw_only=True)

    def rate(self, t, xp):
        return self.initial_learning_rate * xp.exp(-self.decay_rate * periods(self, t, xp))


class StepDecay(Named):
    """A staircase: `initial_learning_rate * decay_rate ** (t // step_size)`.

    >>> from keras_lr.schedules import StepDecay
    >>> StepDecay(0.8, 2, 0.5).rates(5).tolist()
    [0.8, 0.8, 0.4, 0.4, 0.2]
    """

    initial_learning_rate: Rate
    step_size: Steps
    decay_rate: Positive

    def rate(self, t, xp):
        steps = whole_periods(t, self.step_size, xp)
        return self.initial_learning_rate * power(self.decay_rate, steps, xp)


class MultiStepDecay(Named):
    """`initial_learning_rate * decay_rate ** n` with n = the number of milestones <= t.

    >>> from keras_lr.schedules import MultiStepDecay
    >>> MultiStepDecay(0.8, [2, 3], 0.5).rates(5).tolist()
    [0.8, 0.8, 0.4, 0.2, 0.2]
    """

    initial_learning_rate: Rate
    milestones: Milestones
    decay_rate: Positive

    def rate(self, t, xp):
        return self.initial_learning_rate * self.decay_rate ** real(
            passed(self.milestones, t, xp), xp
        )

    @property
    def length(self):
        return self.milestones[-1]

    def _marks(self, last):
        return ((milestone, "boundary") for milestone in self.milestones)


class PowerDecay(Named):
    """A power law: `initial_learning_rate * (1 + t / timescale) ** -power`.

    The length of the run need not be known.

    >>> from keras_lr.schedules import PowerDecay
    >>> PowerDecay(0.8, 10, power=2.0).rates([0, 10, 30]).tolist()
    [0.8, 0.2, 0.05]
    """

    initial_learning_rate: Rate
    timescale: Length
    power: Positive

    def rate(self, t, xp):
        return self.initial_learning_rate * (1.0 + xp.maximum(t, 0) / self.timescale) ** -self.power


class InverseSquareRootDecay(Named):
    """`initial_learning_rate / sqrt(1 + t / timescale)`: `PowerDecay` of power ½.

    >>> from keras_lr.schedules import InverseSquareRootDecay
    >>> InverseSquareRootDecay(0.8, 10).rates([0, 30, 150]).tolist()
    [0.8, 0.4, 0.2]
    """

    initial_learning_rate: Rate
    timescale: Length

    def rate(self, t, xp):
        return self.initial_learning_rate / xp.sqrt(1.0 + xp.maximum(t, 0) / self.timescale)


class NoamDecay(Named):
    """The schedule of the Transformer, warmup included (arXiv 1706.03762).

    `scale * d_model ** -0.5 * min((t + 1) ** -0.5, (t + 1) * warmup_steps ** -1.5)`.

    >>> from keras_lr.schedules import NoamDecay
    >>> NoamDecay(d_model=4, warmup_steps=4).rates([0, 3, 15]).tolist()
    [0.0625, 0.25, 0.125]
    """

    d_model: Positive
    warmup_steps: Steps
    scale: Positive = 1.0

    def rate(self, t, xp):
        n = 1.0 * (xp.maximum(t, 0) + 1)
        return self.scale * self.d_model**-0.5 * xp.minimum(n**-0.5, n * self.warmup_steps**-1.5)

    def _marks(self, last):
        return iter([(self.warmup_steps, "warmup end")])
