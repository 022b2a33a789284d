"""The search inside a running `fit`: for a rate for that fit, with its data and its length."""

import math
import warnings
from typing import Any, NamedTuple

from keras_lr.driving.messages import tell
from keras_lr.finder.search import HELD_BACK, SHORTEST_SWEEP, search
from keras_lr.keras_private.fit_call import FitCall
from keras_lr.keras_private.trial_fit import held_back
from keras_lr.schedules import Stretch
from keras_lr.trials import Trials, data
from keras_lr.trials.progress import progress_of_all

# A loss in the run has exploded where it stands above that before training by so many of its
# standard deviations, and by more than it fell in the sweep.
_EXPLOSION = 10.0


def updates_of_search(share, total_steps):
    """Returns how many updates a search may make for a fit of so many, of which it is a share.

    >>> updates_of_search(0.1, 5000), updates_of_search(0.1, 60)
    (500, 50)
    """
    return max(int(share * total_steps), SHORTEST_SWEEP)


class FitSearch(NamedTuple):
    """What to search with: a share of the updates, and data in the place of those of `fit`.

    `owner` is the callback as messages call it, with the arguments `data` and `validation_data`;
    `reacts` says that it goes back when validation stalls.
    """

    owner: str
    budget: float = 0.1
    data: Any = None
    validation_data: Any = None
    seed: int = 0
    verbose: int = 1
    reacts: bool = False

    def run(self, model, optimizer, shape, total_steps, name):
        """Returns the `RangeTest` for a run of so many updates, and says what was chosen and why.

        `shape` is the planned schedule over these updates, with a peak of 1, and `name` its name.
        """
        training, evaluation = self._data_of(FitCall.of(model))
        budget = updates_of_search(self.budget, total_steps)
        show = progress_of_all(budget, self.verbose)
        with Trials(model, training, budget, optimizer=optimizer) as trials:
            found = search(
                trials,
                budget,
                lambda length: Stretch(shape, length / total_steps),
                evaluation,
                self.seed,
                show,
            )
        found = found.for_length(total_steps, trials.updates_per_epoch, self.reacts)
        if found.suggestion is None:
            raise ValueError(
                f"{self.owner} needs a loss that is a number at some rate. Look for NaN or "
                f"infinity in the data, the weights and the loss. Received: {found.status}"
            )
        if self.verbose:
            by = "loss" if evaluation is None else "validation loss"
            runs = len(found.evidence)
            how = f"best {by} of {runs} short runs" if runs else f"from a sweep: {found.status}"
            tell(
                f"{self.owner}: {name} with a peak of {found.suggestion:.3g} for {total_steps:,} "
                f"updates ({how}; {trials.updates:,} updates tried)."
            )
        return found

    def _data_of(self, call):
        """Returns what `fit` trains on, and `evaluate` judges by; None for no such data."""
        training, evaluation = call.training, call.validation
        if self.data is not None:
            training |= {"x": self.data, "y": None, "sample_weight": None}
        x = data.readable_again("x of fit", training["x"], f"{self.owner}(data=…)")
        training |= {"x": data.batches(x), "shuffle": training["shuffle"] and data.may_shuffle(x)}
        if self.validation_data is not None:
            return training, data.evaluation(self.validation_data, training["batch_size"])
        if evaluation is not None:
            place = f"{self.owner}(validation_data=…)"
            data.readable_again("validation_data of fit", evaluation["x"], place)
            return training, evaluation
        return held_back(training, HELD_BACK)


class Doubts:
    """Whether what was chosen holds in the run; where it does not, that is said once.

    `found` is the search before it; without it (None, for a choice that was kept) only a loss that
    is no number shows anything. By the end of `half` of the epochs the run must have moved; with
    None it may be too short for that. `may_explode` tells that somebody else sees to explosions.
    """

    def __init__(self, owner, found, half, may_explode):
        self._owner, self._found, self._half = owner, found, half
        self._may_explode, self._lowest = may_explode, math.inf

    def look(self, epoch, loss):
        """Looks at the training loss of an epoch."""
        self._lowest = min(self._lowest, loss) if math.isfinite(loss) else self._lowest
        if not self._may_explode and self._has_exploded(loss):
            self._may_explode = True
            self._warn(
                f"is too high for this run: loss = {loss:.4g}. List RecoverFromDivergence() beside "
                "it, which goes back and on at a lower rate, or give fit validation_data=…, so "
                "that it can react itself. If it comes again, look for NaN in the data."
            )
        # A warmup is over by then.
        elif epoch + 1 == self._half and self._has_not_moved():
            self._warn(
                f"does not move this run: up to epoch {epoch + 1} the training loss was never "
                f"below that before training, {self._before.mean():.4g}. Scale inputs and targets, "
                "try a larger budget=…, and look at found.plot()."
            )

    def _warn(self, what):
        warnings.warn(f"{self._owner} has chosen a rate that {what}", stacklevel=2)

    @property
    def _before(self):
        return self._found.losses[: max(3, len(self._found.losses) // 10)]

    def _has_exploded(self, loss):
        if not math.isfinite(loss) or self._found is None:
            return not math.isfinite(loss)
        fall = self._before.mean() - self._found.smoothed.min()
        return loss > self._before.mean() + max(fall, _EXPLOSION * self._before.std())

    def _has_not_moved(self):
        return self._found is not None and self._before.mean() <= self._lowest < math.inf
