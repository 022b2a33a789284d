"""Runs around the rate of a run that was made: what it is to be compared with."""

import math
from typing import Any, NamedTuple

import numpy as np

from keras_lr.diagnosis.experiment import Experiment, settled
from keras_lr.finder.length import peak_factor
from keras_lr.finder.search import USUAL_SWEEP, Sweep, swept
from keras_lr.finder.verification import Runs
from keras_lr.schedules import Tabulated
from keras_lr.trials import Trials

# The rate itself, and the two beside it; what the sweep suggests too, if it is further off, and
# where it suggests nothing, as where all rates of the run are too small to see, a much higher one.
_FACTORS, _FURTHER, _FURTHEST, _UNKNOWN = (1.0, 3.0, 1.0 / 3.0), 4.0, 1e4, 30.0


class Comparison(NamedTuple):
    """What to compare with what: a run of `points` epochs, or updates where `is_by_update`.

    `rates` are those of the run, point by point. `training` and `evaluation` are arguments of `fit`
    and `evaluate`, the second None where the training loss has to do. At most `budget` updates are
    made. `chances` are those of the verdicts by the curves of the run: where they and the sweep
    leave no doubt, there are no runs.
    """

    rates: np.ndarray
    chances: dict
    is_by_update: bool
    training: dict
    evaluation: Any
    budget: int
    seed: int = 0
    show: Any = None

    def made_on(self, model):
        """Makes the sweep and the runs, in trials of a model, and returns the `Experiment`."""
        peak, points = float(np.max(self.rates)), len(self.rates)
        most = max(self.budget, 2 * USUAL_SWEEP)
        with Trials(model, self.training, most) as trials:
            sweep = swept(trials, Sweep(), 1, self.seed, self.show, self.budget // 3)
            per_epoch = trials.updates_per_epoch
            whole = points if self.is_by_update else points * (per_epoch or 1)
            whole = max(int(whole), 1)
            longest = (self.budget - trials.updates) // (len(_FACTORS) + 1)
            length = max(min(whole, longest), 2)
            shape = Tabulated(_stretched(self.rates / peak, length))
            sweep = sweep.for_length(whole, per_epoch)
            suggestion = sweep.suggestion_for(shape, length)
            told = self.evaluation is not None
            if settled(peak, suggestion, self.chances):
                return Experiment(peak, suggestion, {}, None, 0, trials.updates, told)
            trials.reset(self.seed)
            start = _start(trials, self.evaluation, sweep)
            # A shorter run bears more.
            share = peak_factor(length, whole, per_epoch)
            runs = Runs(trials, shape, length, self.seed + 1, self.evaluation, self.show)
            factors = [*_FACTORS, *_far(suggestion, peak)]
            scores = {factor: runs.score(factor * peak * share) for factor in factors}
            made = trials.updates
        return Experiment(peak, suggestion, scores, start, length, made, told)


def _far(suggestion, peak):
    if not suggestion:
        return [_UNKNOWN]
    factor = suggestion / peak
    is_far = max(factor, 1.0 / factor) > _FURTHER
    return [min(max(factor, 1.0 / _FURTHEST), _FURTHEST)] if is_far else []


def _stretched(rates, length):
    """Returns the shape of rates over another number of updates."""
    at = np.linspace(0.0, len(rates) - 1.0, length)
    return tuple(np.interp(at, np.arange(len(rates)), rates).tolist())


def _start(trials, evaluation, sweep):
    """Returns the loss before training, by what the runs are judged by."""
    if evaluation is not None:
        return trials.evaluate(evaluation)
    return float(np.mean(sweep.losses[:3])) if len(sweep.losses) else math.inf
