"""The ways to a rate that are compared. The package's own code decides wherever it can."""

import functools
import math

import numpy as np
from regret_fits import Reaction, SearchRuns, fitted, halved, recommended
from regret_runs import linear_to_zero

from keras_lr.finder.length import UNTOLD
from keras_lr.finder.search import HELD_BACK, Sweep, search, swept
from keras_lr.finder.search_in_fit import updates_of_search
from keras_lr.finder.verification import Runs as ShortRuns
from keras_lr.finder.verification import planned_schedule, verified
from keras_lr.schedules import LinearToZero, Stretch

_COARSE = tuple(10.0 ** (k / 2) for k in range(-10, 3))
_BUDGET = 0.1

DEFAULT, KERAS = "Keras' default rate", "and Keras' plateau"
DEFAULT_LINEAR = "default rate to zero"
ALONE, VERIFIED = "range_test", "range_test, verify=4"
BY_HAND = "verify=4, our plateau"
TOLD, WITHIN = "range_test, length", "length and budget"
AUTOMATIC, BLIND = "AutoLearningRate", "no validation data"
MINIMUM, VALLEY, MIDDLE = "tenth of the minimum", "valley", "√(minimum · valley)"
HALVING = "successive halving"

# Those of FIXED do not depend on our rules, and are measured once.
FIXED = DEFAULT, KERAS, DEFAULT_LINEAR
OURS = ALONE, VERIFIED, BY_HAND, TOLD, WITHIN, AUTOMATIC, BLIND, MINIMUM, VALLEY, MIDDLE, HALVING


class Strategies:
    """All of them on one task and seed; searches that several need are made once.

    Each returns what is known of it: `rate`, the peak of a run linear to zero, and where a run was
    made its `final` loss and the loss `kept` at its best epoch.
    """

    def __init__(self, runs, seed):
        self._runs, self._seed = runs, seed
        self._each, self._within_budget = runs.updates_per_epoch, {}

    def fixed(self, epochs):
        """Returns the functions that make them, by name, for a run of so many epochs."""
        rate, updates = self._runs.default_rate, epochs * self._each
        constant, linear = np.full(updates + 1, rate), rate * linear_to_zero(1.0, updates)
        linear = np.append(linear, 0.0)
        return {
            DEFAULT: lambda: self._made(constant, epochs),
            KERAS: lambda: self._made(constant, epochs, Reaction.keras()),
            DEFAULT_LINEAR: lambda: self._made(linear, epochs),
        }

    def ours(self, epochs):
        updates = epochs * self._each
        budget = updates_of_search(_BUDGET, updates)
        return {
            ALONE: lambda: {"rate": self._untold(self._swept)},
            VERIFIED: lambda: {"rate": self._untold(self._verified)},
            BY_HAND: lambda: self._by_hand(epochs),
            TOLD: lambda: {"rate": self._swept.for_length(updates, self._each).suggestion},
            WITHIN: lambda: self._within(max(500, updates // 10), updates),
            AUTOMATIC: lambda: self._automatic(epochs, budget),
            BLIND: lambda: self._automatic(epochs, budget, HELD_BACK),
            MINIMUM: lambda: {"rate": self._known("minimum")},
            VALLEY: lambda: {"rate": self._known("valley")},
            MIDDLE: lambda: {"rate": self._middle()},
            HALVING: lambda: {"rate": halved(self._runs, self._seed, _COARSE, budget, updates)},
        }

    def _made(self, rates, epochs, reaction=None):
        final, kept = fitted(self._runs, self._seed, rates, epochs, reaction)
        return {"rate": float(np.max(rates)), "final": final, "kept": kept}

    @functools.cached_property
    def _trials(self):
        return SearchRuns(self._runs, self._seed)

    @functools.cached_property
    def _swept(self):
        return swept(self._trials, Sweep())

    @functools.cached_property
    def _verified(self):
        steps = Sweep().num_steps
        runs = ShortRuns(self._trials, planned_schedule(None, steps), steps, 1, "validation")
        return self._swept if self._swept.suggestion is None else verified(self._swept, runs, 4)

    def _untold(self, found):
        return found.for_length(UNTOLD, self._each).suggestion

    def _known(self, rule):
        return self._swept.suggestions[rule]

    def _middle(self):
        pair = self._known("minimum"), self._known("valley")
        return None if None in pair else math.sqrt(pair[0] * pair[1])

    def _by_hand(self, epochs):
        peak = self._verified.suggestion
        if peak is None:
            return {"rate": None}
        reaction = Reaction.by_hand(self._runs.begin(self._seed), epochs)
        return self._made(recommended(peak, epochs * self._each), epochs, reaction)

    def _within(self, budget, updates):
        if budget not in self._within_budget:
            trials = SearchRuns(self._runs, self._seed)
            shape_of = functools.partial(planned_schedule, None)
            self._within_budget[budget] = search(trials, budget, shape_of, "validation")
        return {"rate": self._within_budget[budget].for_length(updates, self._each).suggestion}

    def _automatic(self, epochs, budget, held_back=0.0):
        """Searches as `FitSearch`, and runs; with rows held back, without a reaction."""
        updates, part = epochs * self._each, "held back" if held_back else "validation"
        trials = SearchRuns(self._runs, self._seed, held_back)
        shape = planned_schedule(LinearToZero(1.0, updates), updates)
        found = search(trials, budget, lambda n: Stretch(shape, n / updates), part)
        reacts = not held_back
        peak = found.for_length(updates, trials.updates_per_epoch, reacts).suggestion
        if peak is None:
            return {"rate": None}
        begin = self._runs.begin(self._seed)
        reaction = Reaction.automatic(begin, epochs) if reacts else None
        made = self._made(recommended(peak, updates), epochs, reaction)
        # For whoever asks why.
        return made | {"cost": trials.updates, "evidence": found.evidence, "status": found.status}
