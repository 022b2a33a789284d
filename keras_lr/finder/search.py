"""The search for a rate, in trials: a sweep, and within a budget short runs around what it says."""

import dataclasses
import math

import keras
import numpy as np

from keras_lr.finder import rules
from keras_lr.finder.curve import Curve, mean_curve
from keras_lr.finder.result import RangeTest
from keras_lr.finder.stopping import AfterDivergence
from keras_lr.finder.verification import Runs, verified
from keras_lr.keras_private.optimizers import leaves, rate_in_step

# Where the first rate breaks the training, a sweep begins so many times lower, so often.
_LOWER, _TIMES = 1e-4, 2
# The updates of a sweep; and within a budget, where all it has to say is where the runs begin.
USUAL_SWEEP, SHORTEST_SWEEP = 100, 50
# Runs of fewer updates judge the start, and those of more say little that they do not.
_SHORTEST_RUN, _LONGEST_RUN, _FEWEST, _RUNS = 25, 400, 2, 5
# Fewer have better uses than the optimizer's own rate.
_WITH_OWN = 4
# Where a loss falls up to the last rate, what may be read off the fall is below this part of it.
_BEFORE_LAST = 0.1
# Keras' default of most optimizers.
_DEFAULT = 0.001
# These move every weight by about the rate at most, whatever the loss and its scale are. In runs of
# a few hundred updates their best peak is seldom far above the usual one, and a sweep that says so
# has seen an output travel to the scale of the targets, or dead units. Half of the way back on a
# logarithmic scale, from 0.3 to 0.7 of it as well; of gradient descent nothing is usual.
_BOUNDED = (
    keras.optimizers.Adam,
    keras.optimizers.Adamax,
    keras.optimizers.Nadam,
    keras.optimizers.RMSprop,
    keras.optimizers.Lion,
)
_USUAL, _HIGHEST = 0.01, 0.1
# The part of arrays that judges short runs where there are no validation data.
HELD_BACK = 0.1


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What a sweep trains at: `start · (end/start)^(i/(num_steps − 1))` at its update i."""

    start: float = 1e-7
    end: float = 100.0
    num_steps: int = USUAL_SWEEP
    smoothing: float = 0.85

    @property
    def rates(self):
        """The rates of twice the planned updates: a sweep may go on for so long."""
        growth = np.arange(2 * self.num_steps) / (self.num_steps - 1)
        return self.start * (self.end / self.start) ** growth

    def lower(self):
        """Returns the sweep to make where the first rates of this one were too high."""
        return dataclasses.replace(self, start=self.start * _LOWER, end=self.start * 10.0)

    def curve(self, trials, seed, show=None, most=None):
        """Trains, for `most` updates at most, and returns what was seen."""
        head, rates = max(3, self.num_steps // 10), self.rates[:most]
        rule = AfterDivergence(self.num_steps, head, self.smoothing, len(rates))
        updates, losses = trials.run(rates, rule, seed, show and show(self.num_steps, rates))
        finite, momentum = np.isfinite(losses), momentum_of(trials.optimizer)
        seen = rates[updates[finite]], losses[finite]
        return Curve(*seen, head, self.smoothing, rule.diverged, momentum)


def swept(trials, sweep, repeats=1, seed=0, show=None, budget=None):
    """Returns the `RangeTest` of some sweeps over the data in other orders.

    Where they diverge at once, all begin again lower. `budget` is a number of updates for the one
    sweep that is made within it.
    """
    left = budget
    for _ in range(_TIMES + 1):
        curves = [sweep.curve(trials, seed + repeat, show, left) for repeat in range(repeats)]
        result = RangeTest.of(mean_curve(curves), curves, sweep.num_steps)
        left = None if budget is None else budget - trials.updates
        if result.status != "diverged at once" or left == 0:
            break
        sweep = sweep.lower()
    return _sobered(result, trials.optimizer)


def search(trials, budget, shape_of, evaluation=None, seed=0, show=None, sweep=Sweep()):
    """Returns a `RangeTest` that has cost `budget` updates at most.

    It has a suggestion unless the loss is no number at any rate. `shape_of(length)` is the planned
    schedule over so many updates, with a peak of 1; `evaluation` and `show` are those of `Runs`;
    `sweep` is made as short as can be. A budget of 50 is the least; a sweep alone is made of less
    than 100, and with 175 and more five runs, one of them at the optimizer's own rate.
    """
    sweep = dataclasses.replace(sweep, num_steps=SHORTEST_SWEEP)
    # A sweep that goes on beyond its planned updates must leave what two runs take.
    for_runs = _FEWEST * _SHORTEST_RUN
    most = budget - for_runs if budget >= sweep.num_steps + for_runs else budget
    result = swept(trials, sweep, seed=seed, show=show, budget=most)
    if not len(result.losses):
        return result
    if result.suggestion is None:
        trials.reset(seed)
        result = dataclasses.replace(result, suggestion=_fallback(result, trials.optimizer))
        result = _sobered(result, trials.optimizer)
    left = budget - trials.updates
    runs = min(_RUNS, left // _SHORTEST_RUN)
    if runs < _FEWEST:
        return result
    length = min(left // runs, _LONGEST_RUN)
    short = Runs(trials, shape_of(length), length, seed + 1, evaluation, show)
    trials.reset(seed)
    own = _own(trials.optimizer) if runs >= _WITH_OWN else None
    told = verified(result, short, runs, own)
    if told.suggestion is None:
        # All of them broke.
        told = dataclasses.replace(told, suggestion=min(dict(told.evidence)) / 10.0)
    return told


def _sobered(result, optimizer):
    """Returns the result, its suggestion nearer to what is usual if the optimizer knows that."""
    if result.suggestion is None or not all(isinstance(o, _BOUNDED) for o in leaves(optimizer)):
        return result
    interval = result.interval and tuple(map(_sober, result.interval))
    return dataclasses.replace(result, suggestion=_sober(result.suggestion), interval=interval)


def _sober(rate):
    """Returns a rate above the usual one half of the way back to it, on a logarithmic scale.

    >>> [round(_sober(rate), 6) for rate in (0.001, 0.01, 0.04, 26.0)]
    [0.001, 0.01, 0.02, 0.1]
    """
    return rate if rate <= _USUAL else min(math.sqrt(rate * _USUAL), _HIGHEST)


def _fallback(result, optimizer):
    """Returns a rate where the sweep suggests none: in its fall, below its end, the optimizer's."""
    if result.status == "still falling":
        # As linear models do under Adam. Most of the fall must be behind well before the last rate.
        fallen = rules.fallen(result.repeats[0])
        if fallen < _BEFORE_LAST * result.learning_rates[-1]:
            return fallen
    return min(result.suggestions.get("minimum") or math.inf, _own(optimizer))


def _own(optimizer):
    """Returns the optimizer's own rate, the largest of several."""
    # Not `learning_rate`, which is that of the trials.
    own = max(float(rate_in_step(leaf)) for leaf in leaves(optimizer))
    # A schedule in the optimizer may be at its end.
    return own or _DEFAULT


def momentum_of(optimizer):
    """Returns which part of each update is of the one before, the largest of several optimizers.

    >>> import keras
    >>> [momentum_of(o) for o in (keras.optimizers.SGD(), keras.optimizers.Adam(beta_1=0.8))]
    [0.0, 0.8]
    """
    names = "momentum", "beta_1"
    found = [getattr(part, name, None) for part in leaves(optimizer) for name in names]
    return max((float(value) for value in found if value is not None), default=0.0)
