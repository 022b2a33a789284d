"""What runs at other rates say of the rate of a run: probabilities of the verdicts."""

import math
from typing import NamedTuple

import numpy as np

from keras_lr.diagnosis.verdict import VERDICTS

# A rate is good where this part of what could be gained is lost, at even odds. A run has broken
# that ends above its start by the second, if lower rates do better. Of a gain of less than the
# third part of the loss, as a sweep's, nothing is said.
_REGRET, _ABOVE, _NOTHING = 0.03, 0.05, 1e-3
# What a sweep suggests is off by a factor of three now and then: so many decades below and above
# it, and with that width, a rate may be too low or too high.
_BELOW, _HIGHER, _BREAKS, _WIDTH = -0.7, 0.6, 1.3, 0.25
# Nothing is impossible. Both what the runs say and what the curves say are too sure of themselves,
# and a sweep that leaves doubt adds nothing: on runs of tasks that were left out, by
# tests/benchmarks/diagnosis_experiment.py.
_LEAST, _RUNS, _CURVES = 0.02, 0.6, 0.8
# No doubt is left where the sweep is so sure of a wrong rate, and the curves say the same.
_SURE, _SAME = 0.9, 0.5


class Experiment(NamedTuple):
    """What was tried on a fresh copy of the model.

    `scores` has, by the factor that the rate of the run was multiplied by, the loss after a run of
    `length` updates at that rate (`val_loss` where `has_validation`), infinite where it broke;
    `start` the loss before it. `suggestion` is what a sweep suggests for the whole run, None if
    nothing. `updates` were made in all. Where the sweep left no doubt no run was made: `scores` is
    empty, and `start` is None.
    """

    rate: float
    suggestion: float | None
    scores: dict
    start: float | None
    length: int
    updates: int
    has_validation: bool

    @property
    def broke(self):
        """Whether the rate of the run itself broke the training."""
        return math.isinf(self.scores.get(1.0, 0.0))

    def lines(self):
        """Returns what was tried, as lines of text."""
        by = "validation loss" if self.has_validation else "training loss"
        told = f"the sweep suggests {self.suggestion:.3g}" if self.suggestion else "the sweep: none"
        yield f"{self.updates} updates on a fresh copy; {told}, the run had {self.rate:.3g}"
        if not self.scores:
            yield "that leaves no doubt: no run was made"
        for factor, score in sorted(self.scores.items()):
            ended = f"{by} {score:.4g}" if math.isfinite(score) else "broke"
            yield f"{self.length} updates at {factor:.3g} × the rate: {ended}"


def by_sweep(rate, suggestion):
    """Returns the probabilities of the verdicts on a rate, from what a sweep suggests.

    >>> found = by_sweep(0.001, 0.1)
    >>> max(found, key=found.get), by_sweep(0.1, None)["good"]
    ('too small', 0.25)
    """
    if not suggestion or rate <= 0.0:
        return dict.fromkeys(VERDICTS, 1.0 / len(VERDICTS))
    decades = math.log10(rate / suggestion)
    small = _step((_BELOW - decades) / _WIDTH)
    large = _step((decades - _HIGHER) / _WIDTH)
    broken = large * _step((decades - _BREAKS) / _WIDTH)
    return _normal((small, max(1.0 - small - large, 0.0), large - broken, broken))


def settled(rate, suggestion, chances):
    """Returns the probabilities by a sweep and the curves where they leave no doubt, else None.

    They do not where the sweep is sure that the rate is wrong, and the `chances` of the verdicts by
    the curves are for the same.

    >>> small = {"too small": 0.8, "good": 0.1, "too large": 0.1, "diverged": 0.0}
    >>> round(settled(0.001, 0.1, small)["too small"], 2), settled(0.05, 0.1, small)
    (0.93, None)
    """
    swept = by_sweep(rate, suggestion)
    word = max(swept, key=swept.get)
    if word == "good" or swept[word] < _SURE or chances[word] < _SAME:
        return None
    return _normal([swept[word] * chances[word] for word in VERDICTS])


def by_runs(scores, start):
    """Returns the probabilities of the verdicts, from the scores of runs at multiples of a rate.

    `scores[1.0]` is that of the rate itself. Its regret is what the best of the others gained more,
    in parts of the whole gain: at 3 % the odds are even.

    >>> found = by_runs({0.33: 1.0, 1.0: 0.5, 3.0: 0.2}, start=2.0)
    >>> max(found, key=found.get)
    'too small'
    >>> found = by_runs({0.33: 0.21, 1.0: 0.2, 3.0: float("inf")}, start=2.0)
    >>> max(found, key=found.get)
    'good'
    """
    finite = {factor: score for factor, score in scores.items() if math.isfinite(score)}
    own = scores[1.0]
    if not finite:
        return _normal((0.0, 0.0, 0.0, 1.0))
    best = min(finite, key=finite.get)
    gain = start - finite[best]
    if not math.isfinite(own):
        return _normal((0.0, 0.0, 0.1, 0.9))
    if gain <= _NOTHING * abs(start):
        # Nothing trains: the rate breaks it, or is far too small, or there is nothing to learn.
        rises = own > start + _NOTHING * abs(start) and best < 1.0
        return _normal((0.0, 0.0, 0.3, 0.7) if rises else (1.0, 1.0, 1.0, 1.0))
    if own > start + _ABOVE * gain and best < 1.0:
        return _normal((0.0, 0.0, 0.1, 0.9))
    good = 1.0 / (1.0 + min((own - finite[best]) / gain / _REGRET, 1e9) ** 2)
    return _normal((1.0 - good, good, 0.0, 0.0) if best > 1.0 else (0.0, good, 1.0 - good, 0.0))


def together(runs, curves):
    """Returns one set of probabilities, from those by runs and those by the curves.

    >>> small = {"too small": 0.7, "good": 0.1, "too large": 0.1, "diverged": 0.1}
    >>> good = {"too small": 0.3, "good": 0.5, "too large": 0.1, "diverged": 0.1}
    >>> found = together(small, good)
    >>> max(found, key=found.get), round(found["too small"], 2)
    ('too small', 0.58)
    """
    pairs = [(runs[word], max(curves[word], _LEAST)) for word in VERDICTS]
    weights = np.array([run**_RUNS * curve**_CURVES for run, curve in pairs])
    return dict(zip(VERDICTS, map(float, weights / weights.sum())))


def _normal(weights):
    weights = np.maximum(weights, _LEAST)
    return dict(zip(VERDICTS, map(float, weights / weights.sum())))


def _step(x):
    return 1.0 / (1.0 + math.exp(-max(min(x, 50.0), -50.0)))
