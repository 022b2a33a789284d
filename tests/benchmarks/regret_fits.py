"""What the benchmark has in the place of `fit` and `Trials`: compiled runs, steered by our code."""

import math

import numpy as np
from regret_runs import linear_to_zero

from keras_lr.callbacks import AutoLearningRate, ReduceLROnPlateau, automatic
from keras_lr.schedules import LinearToZero

# What searches shuffle with; runs shuffle with their own seed.
_ORDERS = 500


class SearchRuns:
    """Stands in for `Trials`: the compiled runs of a task, all from one state.

    With a share `held_back` those rows are not trained on. What `evaluate` takes is the name of a
    part.
    """

    def __init__(self, runs, seed, held_back=0.0):
        self.optimizer, self.updates = runs.model.optimizer, 0
        self._runs, self._seed, self._state = runs.of_trials, seed, None
        self._rows = self._runs.hold_back(held_back) if held_back else runs.rows
        self.updates_per_epoch = -(-self._rows // runs.task.batch_size)

    def run(self, rates, rule, seed, show=None):
        order = _ORDERS + 20 * self._seed + seed
        begin = self._runs.begin(self._seed)
        self._state, losses = self._runs.train(begin, rates, order, rows=self._rows)
        ended = next((i for i, loss in enumerate(losses) if rule.add(float(loss))), len(losses) - 1)
        self.updates += ended + 1
        return np.arange(ended + 1), losses[: ended + 1]

    def reset(self, seed):
        self._state = self._runs.begin(self._seed)

    def evaluate(self, part):
        return self._runs.loss(self._state, part)


class Reaction:
    """What a plateau callback does to a run: its own decisions, on the states of compiled runs."""

    def __init__(self, callback, begin=None, ends_at_best=False):
        self._callback, self._state = callback, callback.start()
        # With where to go back to, it goes back. `begin` is where the first epochs broke.
        self._at_best, self._ends_at_best = begin and (begin, 0), ends_at_best

    @classmethod
    def keras(cls):
        """Keras' own callback, which ours is without options."""
        return cls(ReduceLROnPlateau("val_loss", mode="min"))

    @classmethod
    def by_hand(cls, begin, epochs):
        options = {"patience": max(1, round(epochs / 20)), "mode": "min", "restore_best": "all"}
        return cls(ReduceLROnPlateau("val_loss", factor=0.1, **options), begin)

    @classmethod
    def automatic(cls, begin, epochs):
        callback = AutoLearningRate(mode="min")
        callback.patience = automatic._patience(epochs)
        return cls(callback, begin, ends_at_best=True)

    def after(self, epoch, value, place, rate):
        """Returns where the run goes on, as a state and its number of updates, and the factor."""
        before = self._state
        self._state = self._callback.decide(epoch, before, value, rate)
        if self._at_best and self._state.best != before.best:
            self._at_best = place
        elif self._at_best and self._state.factor != before.factor:
            place = self._at_best
        return *place, self._state.factor

    def end(self, state):
        has_best = self._ends_at_best and self._state.best is not None
        return self._at_best[0] if has_best else state


def fitted(runs, seed, rates, epochs, reaction=None):
    """Makes a run, epoch by epoch; returns its final loss and that of the epoch of its best.

    `rates` are those of all updates and the one after. Both losses are on test rows; the best epoch
    is the one with the lowest validation loss.
    """
    each, factor = runs.updates_per_epoch, 1.0
    state, clock = runs.begin(seed), 0
    kept, lowest = state, math.inf
    for epoch in range(epochs):
        now = factor * rates[clock : clock + each]
        state, _ = runs.train(state, now, seed, epoch * each)
        clock, value = clock + each, runs.loss(state, "validation")
        if value < lowest:
            kept, lowest = state, value
        if reaction:
            here = (state, clock), factor * rates[clock]
            state, clock, factor = reaction.after(epoch, value, *here)
    state = reaction.end(state) if reaction else state
    return runs.loss(state), runs.loss(kept)


def recommended(peak, updates):
    """Returns the rates of `LinearToZero`, one more than there are updates."""
    return LinearToZero(peak, updates).rates(updates + 1)


def halved(runs, seed, rates, budget, updates):
    """Returns the rate left by successive halving, of `budget` updates in all.

    In each round all runs that are left go on by as many updates, at the first rates of the planned
    run, and the half with the lower validation losses is kept.
    """
    plan, done = linear_to_zero(1.0, updates), 0
    states = dict.fromkeys(rates, runs.begin(seed))
    share = budget / math.ceil(math.log2(len(rates)))
    while len(states) > 1:
        steps = max(int(share / len(states)), 1)
        now, scores = plan[done : done + steps], {}
        for rate, state in states.items():
            states[rate], _ = runs.train(state, rate * now, seed, done)
            loss = runs.loss(states[rate], "validation")
            scores[rate] = loss if math.isfinite(loss) else math.inf
        best = sorted(scores, key=scores.get)[: math.ceil(len(scores) / 2)]
        states, done = {rate: states[rate] for rate in best}, done + steps
    return next(iter(states))
