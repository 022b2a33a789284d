"""`BoldDriver` and `GreedyLR`: up while the loss falls, down when it does not.

What they buy is that a bad first rate is survived: on two small tasks `BoldDriver` came within 15 %
of the best final loss from 10 of 11 first rates, over a factor of 1000. A tuned decay ended lower.
"""

import math
from typing import NamedTuple

from keras_lr import checks
from keras_lr.callbacks.progress import (
    SMOOTHING_INSTEAD,
    BestController,
    ProgressController,
    lowered,
)

_RANGE = 1000.0


class _Bounds(NamedTuple):
    """How far a rule may move the rate: absolute rates, or by default a range of its factor."""

    min_lr: float | None
    max_lr: float | None

    @classmethod
    def checked(cls, min_lr, max_lr):
        min_lr = None if min_lr is None else checks.RATE("min_lr", min_lr)
        max_lr = None if max_lr is None else checks.POSITIVE("max_lr", max_lr)
        if None not in (min_lr, max_lr) and max_lr < min_lr:
            checks.refuse("max_lr", f">= min_lr = {min_lr}", max_lr)
        return cls(min_lr, max_lr)

    @property
    def are_rates(self):
        """Tells whether they limit the rate itself, and not only the factor."""
        return self != (None, None)

    def down(self, multiplier, factor, rate):
        """Returns a multiplier < 1, or what is left of it: 1.0 at the lower bound."""
        if self.min_lr is None:
            return lowered(multiplier, factor, 1 / _RANGE)
        return lowered(multiplier, rate, self.min_lr)

    def up(self, multiplier, factor, rate):
        """Returns a multiplier > 1, or what is left of it: 1.0 at the upper bound."""
        position, highest = (factor, _RANGE) if self.max_lr is None else (rate, self.max_lr)
        # At 0 no factor moves anything, and none may pile up unseen.
        if position == 0 or position >= highest * (1 - 1e-6):
            return 1.0
        return min(multiplier, highest / position)


class BoldDriverState(NamedTuple):
    """The value before."""

    factor: float = 1.0
    rate: float | None = None
    previous: float | None = None


class BoldDriver(ProgressController):
    """Multiplies the rate by `increase` when the loss fell, by `decrease` when it rose.

    After every evaluation: `increase` if the metric is better than at the one before, `decrease`
    if it is worse by more than `tolerance * |the one before|`, and 1 in between. A value that is
    not finite is a rise, and is not compared with afterwards. No step leads the next update's
    rate beyond `min_lr` or `max_lr`; None is a thousandth and the thousandfold of what the
    optimizer would have without this callback. Under a `MultiOptimizer` it is the smallest rate
    that is judged. `state_path`: see `StatefulCallback`.

    The original also takes the step back after a rise; here training goes on from where it is.

    >>> from keras_lr.callbacks import BoldDriver
    >>> rule = BoldDriver(mode="min")
    >>> state, factors = rule.start(), []
    >>> for loss in [1.0, 0.8, 0.81, 0.9, 0.7]:
    ...     state = rule.update(state, loss, rate=0.1)
    ...     factors.append(round(state.factor, 5))
    >>> factors
    [1.0, 1.05, 1.05, 0.525, 0.55125]

    Source: Vogl et al. (1988); Battiti (1989);
    1.05 and a tolerance of 4 % are those of MATLAB's `traingdx`.
    """

    def __init__(
        self,
        monitor="loss",
        *,
        increase=1.05,
        decrease=0.5,
        tolerance=0.04,
        min_lr=None,
        max_lr=None,
        mode="auto",
        verbose=0,
        on_train_end="keep",
        state_path=None,
        optimizer=None,
        across_fits=False,
    ):
        self.increase = checks.Number(minimum=1)("increase", increase)
        self.decrease = checks.Number(above=0, below=1)("decrease", decrease)
        self.tolerance = checks.NOT_NEGATIVE("tolerance", tolerance)
        self.bounds = _Bounds.checked(min_lr, max_lr)
        self.min_lr, self.max_lr = self.bounds
        told = (mode, verbose, on_train_end, state_path, optimizer, across_fits)
        super().__init__(monitor, *told)

    def start(self):
        return BoldDriverState()

    def update(self, state, value, rate):
        if not math.isfinite(value):
            return self._down(state, rate)
        before, state = state.previous, state._replace(previous=value)
        if before is None:
            return state
        if self.is_better(value, before):
            up = self.bounds.up(self.increase, state.factor, rate)
            return state._replace(factor=state.factor * up)
        rose = abs(value - before) > self.tolerance * abs(before)
        return self._down(state, rate) if rose else state

    def _down(self, state, rate):
        down = self.bounds.down(self.decrease, state.factor, rate)
        return state._replace(factor=state.factor * down)

    @property
    def uses_absolute_rates(self):
        return self.bounds.are_rates

    def explain(self, before, after, value):
        if before.previous is None:
            return f"{self.monitor} = {value:.4g}"
        return f"{self.monitor} = {value:.4g}, before {before.previous:.4g}"


class GreedyState(NamedTuple):
    """The best, the evaluations in a row, those still to be passed over, those at the floor."""

    factor: float = 1.0
    rate: float | None = None
    best: float | None = None
    good: int = 0
    bad: int = 0
    pause: int = 0
    at_floor: int = 0
    mean: float = 0.0
    averaged: int = 0


class GreedyLR(BestController):
    """Divides the rate by `factor` after `patience` improvements in a row, multiplies else.

    An evaluation is good if it beats the best so far by more than `min_delta` (absolute, or
    relative with `threshold_mode="rel"`), and bad otherwise or if it is not finite. `patience`
    good ones in a row: rate / `factor`, then `warmup` evaluations are passed over; `patience` bad
    ones: rate × `factor`, then `cooldown` are. The first value is neither. `smoothing` is as in
    `ReduceLROnPlateau`: without it noise makes new bests rare, and the rate only falls. `min_lr`
    and `max_lr` are as in `BoldDriver`. After `reset_after` evaluations in a row that found the
    rate at its lower bound, factor and memory begin anew. `state_path`: see `StatefulCallback`.

    >>> from keras_lr.callbacks import GreedyLR
    >>> rule = GreedyLR(factor=0.5, patience=2, mode="min")
    >>> state, factors = rule.start(), []
    >>> for loss in [1.0, 0.9, 0.8, 0.9, 0.9, 0.8, 0.8]:
    ...     state = rule.update(state, loss, rate=0.1)
    ...     factors.append(state.factor)
    >>> factors
    [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 0.5]

    Source: arXiv 2512.14527, as in Transformers (factor 0.95 and patience 10 there are per step).
    Unlike there, the lower bound is not 1e-3, under which fine-tunes begin and then only rise;
    `patience` is the number of evaluations, not one less; `reset_after` counts them, and not the
    cuts in vain; relative margins hold for negative values; NaN does not stay in the mean.
    """

    gone = {"window": SMOOTHING_INSTEAD}
    gone_fields = ("recent",)

    def __init__(
        self,
        monitor="loss",
        *,
        factor=0.8,
        patience=2,
        min_delta=1e-6,
        threshold_mode="abs",
        smoothing=0.0,
        warmup=0,
        cooldown=0,
        min_lr=None,
        max_lr=None,
        reset_after=None,
        mode="auto",
        verbose=0,
        on_train_end="keep",
        state_path=None,
        optimizer=None,
        across_fits=False,
    ):
        count, positive = (checks.Number(minimum=least, integer=True) for least in (0, 1))
        self.factor = checks.Number(above=0, below=1)("factor", factor)
        self.patience = positive("patience", patience)
        self.warmup = count("warmup", warmup)
        self.cooldown = count("cooldown", cooldown)
        self.bounds = _Bounds.checked(min_lr, max_lr)
        self.min_lr, self.max_lr = self.bounds
        self.reset_after = None if reset_after is None else positive("reset_after", reset_after)
        told = {"verbose": verbose, "on_train_end": on_train_end, "state_path": state_path}
        told |= {"optimizer": optimizer, "across_fits": across_fits}
        super().__init__(monitor, mode, min_delta, threshold_mode, smoothing, **told)

    def start(self):
        return GreedyState()

    def update(self, state, value, rate):
        down = self.bounds.down(self.factor, state.factor, rate)
        state = state._replace(at_floor=state.at_floor + 1 if down == 1.0 else 0)
        if state.at_floor == self.reset_after:
            return self.start()
        state, value = self.averaged(state, value)
        if state.pause > 0:
            return state._replace(pause=state.pause - 1)
        if state.best is None and math.isfinite(value):
            return state._replace(best=value, bad=0)
        state = self._counted(state, value)
        if state.good == self.patience:
            up = self.bounds.up(1.0 / self.factor, state.factor, rate)
            return state._replace(factor=state.factor * up, good=0, pause=self.warmup)
        if state.bad == self.patience:
            return state._replace(factor=state.factor * down, bad=0, pause=self.cooldown)
        return state

    def _counted(self, state, value):
        if state.best is not None and self.improves(value, state.best):
            return state._replace(best=value, good=state.good + 1, bad=0)
        return state._replace(good=0, bad=state.bad + 1)

    @property
    def uses_absolute_rates(self):
        return self.bounds.are_rates

    def explain(self, before, after, value):
        if after == self.start():
            return f"begun anew after {self.reset_after} evaluations at the lower bound"
        way = "no better" if after.factor < before.factor else "better"
        return f"{self.monitor} = {value:.4g}, {way} for {self.patience} evaluations"
