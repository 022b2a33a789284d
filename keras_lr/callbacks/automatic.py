"""`AutoLearningRate`: chooses the rate before the first update, and reacts during the run."""

import math
from typing import NamedTuple

import numpy as np

from keras_lr import checks
from keras_lr.callbacks.progress import ProgressController
from keras_lr.callbacks.recovery import RecoverFromDivergence
from keras_lr.driving import run_length
from keras_lr.driving.contribution import Contribution
from keras_lr.driving.messages import tell
from keras_lr.finder.search import SHORTEST_SWEEP
from keras_lr.finder.search_in_fit import Doubts, FitSearch, updates_of_search
from keras_lr.keras_private.copies import Snapshot
from keras_lr.keras_private.fit_call import FitCall
from keras_lr.keras_private.optimizers import leaves, shares_of
from keras_lr.keras_private.step_state import refuse_unbuilt_optimizers
from keras_lr.schedules import LinearToZero
from keras_lr.schedules.coerce import as_schedule
from keras_lr.schedules.fields import resolved

# The reaction: cut to a tenth after a tenth of the epochs. On the tasks for tuning of
# tests/benchmarks/regret_tasks.py cuts to a third do about as well, and so do 0.15 and 0.2 of the
# epochs; 0.05 does a little worse.
_CUT, _PATIENCE = 0.1, 0.1


class AutoState(NamedTuple):
    """The peak that was chosen, the best value, and the cuts since that were of no use."""

    factor: float = 1.0
    rate: float | None = None
    peak: float | None = None
    best: float | None = None
    best_epoch: int = 0
    wait: int = 0
    fruitless: int = 0
    reacts: bool = True


class AutoLearningRate(ProgressController):
    """Chooses the learning rate before the first update and reacts during the run: no number.

    **Before**: at the first `on_epoch_begin` it spends `budget` extra updates on this fit's own
    data, batch size and weights, of which nothing stays: a sweep (`range_test`) and, where the
    budget affords them, two to five short runs of the schedule, judged on this fit's validation
    data, else on the last tenth of its arrays, held back from the search; of four or five, one is
    at the rate that the model was compiled with. What did best, corrected for the length of this
    fit (by less where it reacts), is the peak of `schedule`, by default
    `LinearToZero(peak, "100%")`, which is the base of this fit.

    **During the run**, where there are validation data: once `monitor` has not improved for a
    tenth of the epochs (one at least), or is no number, it goes back to the best state (all
    that training changes; schedules go back in time with it) and on at a tenth of the rate. Small
    data are used up at a moment that no fixed schedule can know. Where a cut has brought nothing
    it was not the rate: the training goes back once more, and on at the rate before the cut, until
    the end. It ends with the best state. `react=False` leaves all that out.

    Args:
        schedule: only its shape counts, scaled so that its highest rate is the choice; durations in
            epochs and percent are those of this fit.
        budget: extra updates as a share of those planned, in [0, 1], but never less than 50. From
            100 on there are short runs, from 175 on five; of 90 updates each with 500.
        react: whether to go back.
        monitor, mode: what is followed; the short runs are always judged by the loss.
        data, validation_data: what to search with, where the fit's own can be read only once:
            anything `fit` takes as `x`, or a function that makes a new generator; and anything it
            takes as `validation_data`.
        steps_per_epoch: where `fit` does not know it, as in `FitSchedule`.
        epochs, total_steps, across_fits: as in `FitSchedule`; the choice of the first fit is kept.
        seed, verbose: what the search shuffles with; 0 for silence.
        state_path: a file that keeps the choice for a run that goes on later; `TrainingBackup`
            keeps it too, and the best state. A fit that begins at a later epoch needs either.

    `found` is the `RangeTest` of the search, with its runs in `evidence`, and None where the choice
    was kept. For arrays, and data without an order of its own, the fit is the same to the bit as
    one with the same rate given by hand. The search costs its share of the updates, one compilation
    and the memory of a second copy of model and optimizer; the reaction a copy per new best.

    >>> import keras, numpy as np
    >>> from keras_lr.callbacks import AutoLearningRate
    >>> x = np.linspace(-1.0, 1.0, 64)[:, None]
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> auto = AutoLearningRate(verbose=0)
    >>> history = model.fit(x, 3.0 * x + 1.0, epochs=100, verbose=0, callbacks=[auto])
    >>> 0.01 < auto.peak < 1.0, history.history["loss"][-1] < 0.01
    (True, True)

    Raises `ValueError` in `on_train_begin` where the length of the run is not known, and before the
    first update where the data cannot be read again or their loss is no number. Source:
    tests/benchmarks, whose figures are in docs/finding.md.
    """

    sets_base = True
    # Without validation it chooses, and does not react.
    found = monitored = None
    # By optimizer, the share in the rate that each had from the beginning.
    _shares: dict = {}
    _is_at_best = False

    def __init__(
        self,
        schedule=None,
        *,
        budget=0.1,
        react=True,
        monitor="val_loss",
        mode="auto",
        data=None,
        validation_data=None,
        steps_per_epoch=None,
        epochs=None,
        total_steps=None,
        across_fits=False,
        seed=0,
        verbose=1,
        state_path=None,
        optimizer=None,
    ):
        self.budget = checks.Number(minimum=0, maximum=1)("budget", budget)
        self.react = checks.flag("react", react)
        self.seed = checks.Number(minimum=0, integer=True)("seed", seed)
        self.data, self.validation_data = data, validation_data
        self.given_steps_per_epoch = run_length.steps_per_epoch("steps_per_epoch", steps_per_epoch)
        self.horizon = run_length.Horizon.checked(epochs, total_steps, across_fits)
        self._is_recommended = schedule is None
        self.planned = LinearToZero(1.0, "100%")
        if schedule is not None:
            self.planned = as_schedule("schedule", schedule)
        self.patience = _patience(self.horizon.epochs or 1)
        told = {"state_path": state_path, "optimizer": optimizer, "across_fits": across_fits}
        super().__init__(monitor, mode, verbose, **told)

    # The rule

    def start(self):
        return AutoState()

    def update(self, state, value, rate):
        if self.is_better(value, state.best):
            return state._replace(best=value, wait=0, fruitless=0)
        state = state._replace(wait=state.wait + 1)
        if not math.isfinite(value):
            return state._replace(factor=state.factor * _CUT, wait=0)
        if not state.reacts or state.wait < self.patience:
            return state
        if state.fruitless == 0:
            return state._replace(factor=state.factor * _CUT, wait=0, fruitless=1)
        return state._replace(factor=state.factor / _CUT, wait=0, reacts=False)

    def decide(self, epoch, state, value, rate):
        after = super().decide(epoch, state, value, rate)
        return after if after.best == state.best else after._replace(best_epoch=epoch)

    def explain(self, before, after, value):
        if not math.isfinite(value):
            return f"{self.monitor} = {value}, back to the best state"
        if not after.reacts:
            return f"{self.monitor} no better at the lower rate, back to the best state"
        waited = before.wait + 1
        times = "an evaluation" if waited == 1 else f"{waited} evaluations"
        return f"{self.monitor} no better than {before.best:.4g} for {times}, back there"

    @property
    def peak(self):
        """The peak rate that was chosen; None before."""
        return self.state.peak

    # What it drives

    @property
    def contribution(self):
        return Contribution(self.schedule, self.state.factor)

    def extra_updates(self, total_steps):
        return updates_of_search(self.budget, total_steps)

    def contribution_to(self, optimizer, run):
        if self.schedule is None:
            return self.contribution
        schedule = self.schedule if run == self._run else self.build(run)
        share = self._shares.get(optimizer, 1.0)
        return Contribution(schedule if share == 1 else schedule * share, self.state.factor)

    @property
    def _optimizers(self):
        return leaves(self.optimizer or self.model.optimizer)

    @property
    def _run(self):
        return self.driver.driven.run_of(self._optimizers[0])

    def build(self, run):
        """Returns the schedule, at the peak that was chosen, for a run of this length."""
        run = self.horizon.of(run)
        if self._is_recommended:
            return resolved(LinearToZero(self.peak, "100%"), run)
        return resolved(self.planned, run) * (self.peak / self._highest)

    # Hooks

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.schedule = self.found = self._at_best = None
        call = FitCall.of(self.model)
        if call is None:
            self.driver.give_back_callbacks()
            raise ValueError(
                "AutoLearningRate searches with the data of a `fit`, and cannot be attached. In a "
                "loop of your own give the suggestion of range_test(model, x, y) to FitSchedule."
            )
        run = self.horizon.of(self._run)
        if run.total_steps is None:
            raise ValueError(
                "AutoLearningRate must know how long the run is, and `fit` does not know the "
                "number of batches per epoch of this data. Give it steps_per_epoch=…: the number, "
                "or 'count' to have the data read once before training; with across_fits=True "
                "also epochs=…, in all."
            )
        self._total = int(run.total_steps)
        self._shape = resolved(self.planned, run)
        self._highest = float(np.max(self._shape.rates(self._total)))
        if self._highest <= 0:
            checks.refuse("schedule", "a schedule with rates above 0", self.planned)
        epochs = self._total / run.steps_per_epoch if run.steps_per_epoch else 1
        self.patience = _patience(epochs)
        self._reacts = self.react and call.validation is not None
        # It sees to explosions where it reacts, and a recovery beside it does.
        recovers = any(isinstance(c, RecoverFromDivergence) for c in call.callbacks)
        self._may_explode = self._reacts or recovers
        if self._reacts:
            refuse_unbuilt_optimizers(self.model)

    def before_first_update(self, epoch):
        """Chooses, unless this run has gone on with the choice of another."""
        if self.peak is None:
            if epoch > 0:
                raise ValueError(
                    "AutoLearningRate must know the choice of the run that goes on here. Give it "
                    "state_path=… from the beginning, or list TrainingBackup beside it, which "
                    f"keeps it. Received: a fit that begins at epoch {epoch}, and neither of them"
                )
            self._choose()
        self._shares = dict(zip(self._optimizers, shares_of(self._optimizers)))
        self.schedule = self.build(self._run)
        # Of a few updates the mean loss is that before them.
        half = math.ceil(self.params["epochs"] / 2) if self._total >= SHORTEST_SWEEP else None
        self._doubts = Doubts(type(self).__name__, self.found, half, self._may_explode)
        if self._reacts and self._at_best is None:
            # Where the first epochs break, this is what there is to go back to.
            self._keep()

    def _choose(self):
        given = self.budget, self.data, self.validation_data, self.seed, self.verbose, self._reacts
        shape, name = self._shape * (1.0 / self._highest), type(self.planned).__name__
        optimizer = self.optimizer or self.model.optimizer
        search = FitSearch(type(self).__name__, *given)
        self.found = search.run(self.model, optimizer, shape, self._total, name)
        self.state = self.state._replace(peak=self.found.suggestion)

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self._is_at_best = False

    def _evaluate(self, epoch, logs):
        if "loss" in logs:
            self._doubts.look(epoch, float(logs["loss"]))
        if self._reacts:
            super()._evaluate(epoch, logs)

    def act(self, before, after, value):
        if after.best != before.best:
            self._keep()
        elif after.factor != before.factor:
            self.driver.rewind(self._at_best.restore)
            self._is_at_best = True

    def _end_at_best(self):
        self._at_best.restore()
        # As `fit` does at its end: averages, where the optimizer has them, are what is left.
        self.model.optimizer.finalize_variable_values(self.model.trainable_weights)

    def after_last_update(self):
        state = self.state
        if not self._reacts or state.best is None or self._is_at_best:
            return
        reason = (
            f"back to epoch {state.best_epoch + 1}, the best, {self.monitor} = {state.best:.4g}"
        )
        self.driver.go_back(self.driver.epoch, self, self._end_at_best, reason)
        if self.verbose:
            tell(f"AutoLearningRate ends the training: {reason}.")

    def _keep(self):
        self._at_best, self._is_at_best = Snapshot(self.model, with_optimizer=True), True

    # State

    def go_back(self, checkpoint):
        super().go_back(checkpoint)
        self._is_at_best = False

    def restore(self, entry):
        super().restore(entry)
        if entry.get("arrays"):
            self._at_best = Snapshot.of(self.model, True, entry["arrays"])
        elif self._at_best is None:
            # Without the best state there is nothing that a best value could tell.
            self.state = self.state._replace(best=None, wait=0)

    def __getstate__(self):
        return {**super().__getstate__(), "_shares": {}}


def _patience(epochs):
    return max(1, round(_PATIENCE * epochs))
