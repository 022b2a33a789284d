"""The schedules that people train with: names for compositions, without formulas of their own."""

import itertools
from typing import Annotated

from keras_lr import checks
from keras_lr.schedules import durations
from keras_lr.schedules.annealing import LinearDecay, SqrtDecay
from keras_lr.schedules.base import Named
from keras_lr.schedules.compose import Sequential
from keras_lr.schedules.decay import Constant
from keras_lr.schedules.fields import Part, Periods, Rate, Steps
from keras_lr.schedules.interpolation import PiecewiseCosine
from keras_lr.schedules.keras_schedules import ExponentialDecay


class Recipe(Named):
    """The base of schedules that stand for a composition, which `expand()` returns.

    A percentage in a recipe is of the recipe's own length, rounded to whole updates.

    >>> from keras_lr.schedules import LinearToZero
    >>> LinearToZero(0.1, 1000, warmup="10%").expand()
    Warmup(LinearDecay(0.1, 900), 100)
    """

    def expand(self):
        """Returns the composition that the recipe stands for."""
        raise NotImplementedError(f"{type(self).__name__} must define `expand(self)`.")

    def prepare(self):
        return {"_expanded": self.expand()}

    def rate(self, t, xp):
        return self._expanded.rate(t, xp)

    @property
    def length(self):
        return self._expanded.length

    def _marks(self, last):
        return self._expanded._marks(last)

    def _updates(self, *names, total, spare=1):
        """Returns parts in updates; raises unless they leave `spare` of the total."""
        values = [getattr(self, name) for name in names]
        updates = [v.rounded(total) if isinstance(v, durations.Share) else v for v in values]
        if sum(updates) > total - spare:
            together = " and ".join(f"`{name}`" for name in names)
            given = ", ".join(f"{name}={value!r}" for name, value in zip(names, values))
            raise ValueError(
                f"{together} must leave at least {spare} of the {total} updates. "
                f"Received: {given} in {self!r}"
            )
        return updates


def _cosine(peak, steps, end=0.0):
    return PiecewiseCosine([0, steps], [peak, end])


class LinearToZero(Recipe):
    """The default we recommend: a short warmup, then a straight line to 0 at `total_steps`.

    `LinearDecay(peak, total_steps - W).with_warmup(W)`, where W is `warmup` in updates: a number,
    a duration or a percentage of `total_steps` (arXiv 2310.07831, 2502.15938).

    >>> from keras_lr.schedules import LinearToZero
    >>> LinearToZero(1.0, 6, warmup=2).rates(7).tolist()
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    peak: Rate
    total_steps: Steps
    warmup: Part = durations.Share(0.05, "fraction")

    def expand(self):
        (warmup,) = self._updates("warmup", total=self.total_steps)
        return LinearDecay(self.peak, self.total_steps - warmup).with_warmup(warmup)


class WarmupCosine(Recipe):
    """A warmup, then a half cosine to `end_learning_rate` at `total_steps` (arXiv 1608.03983).

    `PiecewiseCosine([0, total_steps - W], [peak, end_learning_rate]).with_warmup(W)`, where W is
    `warmup` in updates. `total_steps` includes the warmup; `decay_steps` of Keras' `CosineDecay`
    does not.

    >>> from keras_lr.schedules import WarmupCosine
    >>> WarmupCosine(1.0, 6, warmup=2).rates(7).round(4).tolist()
    [0.5, 1.0, 1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    peak: Rate
    total_steps: Steps
    warmup: Part = durations.Share(0.05, "fraction")
    end_learning_rate: Rate = 0.0

    def expand(self):
        (warmup,) = self._updates("warmup", total=self.total_steps)
        cosine = _cosine(self.peak, self.total_steps - warmup, self.end_learning_rate)
        return cosine.with_warmup(warmup)


_ANNEALING = {
    "sqrt": SqrtDecay,
    "linear": LinearDecay,
    "cosine": _cosine,
    "exponential": lambda peak, steps, end: ExponentialDecay(
        peak, steps, end / peak, end_learning_rate=end
    ),
}


class WarmupStableDecay(Recipe):
    """A warmup, the peak for most of the run, then an annealing (arXiv 2404.06395, 2405.18392).

    `Constant(peak).with_warmup(W).then(annealing, at=total_steps - D)`, where W and D are `warmup`
    and `decay` in updates. `shape` is that of the annealing: "sqrt" (`SqrtDecay`), "linear",
    "cosine", or "exponential", which needs rates above 0. You can anneal from any checkpoint of
    the stable part, so the length of the run need not be known in advance.

    >>> from keras_lr.schedules import WarmupStableDecay
    >>> WarmupStableDecay(1.0, 8, warmup=2, decay=4).rates(9).round(4).tolist()
    [0.5, 1.0, 1.0, 1.0, 1.0, 0.5, 0.2929, 0.134, 0.0]
    """

    peak: Rate
    total_steps: Steps
    warmup: Part = durations.Share(0.05, "fraction")
    decay: Part = durations.Share(0.2, "fraction")
    shape: Annotated[str, checks.Choice(tuple(_ANNEALING))] = "sqrt"
    end_learning_rate: Rate = 0.0

    def check(self):
        if self.shape == "exponential" and not (self.peak > 0 and self.end_learning_rate > 0):
            required = "> 0, and `peak` too, for an exponential annealing"
            checks.refuse("end_learning_rate", required, self.end_learning_rate)

    def expand(self):
        total = self.total_steps
        warmup, decay = self._updates("warmup", "decay", total=total, spare=0)
        stable = Constant(self.peak).with_warmup(warmup)
        if decay == 0:
            return stable
        annealing = _ANNEALING[self.shape](self.peak, decay, self.end_learning_rate)
        return stable.then(annealing, at=total - decay)


class FlatCosine(Recipe):
    """The peak for `flat` updates, then a half cosine to 0 at `total_steps`.

    `Constant(peak).then(PiecewiseCosine([0, total_steps - F], [peak, 0.0]), at=F)`, where F is
    `flat` in updates; no warmup (fastai's flat-cos).

    >>> from keras_lr.schedules import FlatCosine
    >>> FlatCosine(1.0, 8, flat="50%").rates(9).round(4).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    peak: Rate
    total_steps: Steps
    flat: Part = durations.Share(0.75, "fraction")

    def expand(self):
        (flat,) = self._updates("flat", total=self.total_steps)
        return Constant(self.peak).then(_cosine(self.peak, self.total_steps - flat), at=flat)


class WarmRestarts(Recipe):
    """SGDR with given periods: a half cosine from `peak` in each (arXiv 1608.03983).

    `periods` are the lengths of the cycles in updates; after the last, `end_learning_rate` is
    held. `warmup` happens once, within the first period; a percentage is of all periods together.
    For endless cycles see `CosineDecayRestarts` and `Repeat`.

    >>> from keras_lr.schedules import WarmRestarts
    >>> WarmRestarts(1.0, [2, 4]).rates(7).round(4).tolist()
    [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    peak: Rate
    periods: Periods
    warmup: Part = 0
    end_learning_rate: Rate = 0.0

    def expand(self):
        first, *others = self.periods
        (warmup,) = self._updates("warmup", total=sum(self.periods), spare=sum(others) + 1)
        lengths = [first - warmup, *others]
        cycles = [_cosine(self.peak, length, self.end_learning_rate) for length in lengths]
        cycles[0] = cycles[0].with_warmup(warmup)
        begins = list(itertools.accumulate(self.periods))[:-1]
        return Sequential(cycles, begins) if others else cycles[0]

    def _marks(self, last):
        marks = super()._marks(last)
        return ((t, "restart" if kind == "boundary" else kind) for t, kind in marks)
