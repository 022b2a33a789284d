"""`AutoLearningRate`: chooses the rate before the first update, and reacts during the run."""

from typing import NamedTuple

import numpy as np

from keras_lr import checks
from keras_lr.callbacks.plateau import ReduceLROnPlateau
from keras_lr.driving import run_length
from keras_lr.driving.contribution import Contribution
from keras_lr.driving.messages import tell
from keras_lr.finder.search import HELD_BACK, SHORTEST_SWEEP, search
from keras_lr.keras_private.copies import Snapshot
from keras_lr.keras_private.fit_call import FitCall
from keras_lr.keras_private.trial_fit import held_back
from keras_lr.schedules import LinearToZero, Stretch
from keras_lr.schedules.coerce import as_schedule
from keras_lr.schedules.fields import resolved
from keras_lr.trials import Trials, data
from keras_lr.trials.progress import progress_of_all

# The reaction. On the tasks for tuning of tests/benchmarks/range_test_regret.py a tenth did better
# than a third, and half to twice this patience as well.
_CUT, _PATIENCE = 0.1, 0.05


class AutoState(NamedTuple):
    """What a plateau's rule remembers, and the peak that was chosen."""

    factor: float = 1.0
    rate: float | None = None
    best: float | None = None
    wait: int = 0
    cooldown_counter: int = 0
    mean: float = 0.0
    averaged: int = 0
    cuts: int = 0
    peak: float | None = None


class AutoLearningRate(ReduceLROnPlateau):
    """Chooses the learning rate before the first update and reacts during the run: no number.

    **Before**: at the first `on_epoch_begin` it spends `budget` extra updates on this fit's own
    data, batch size and weights, of which nothing stays: a sweep (`range_test`) and, where the
    budget affords them, up to four short runs of the schedule, judged on this fit's validation
    data, else on the last tenth of its arrays, held back from the search. The rate that did best is
    the peak of `schedule`, by default `LinearToZero(peak, "100%")`, which is the base of this fit.

    **During the run**, where there are validation data: once `monitor` has not improved for a
    twentieth of the epochs (one at least), or is no number, it goes back to the best state (all
    that training changes; schedules go back in time with it) and on at a tenth of the rate. Small
    data are used up at a moment that no fixed schedule can know. `react=False` leaves that out.

    Args:
        schedule: only its shape counts, scaled so that its highest rate is the choice; durations in
            epochs and percent are those of this fit.
        budget: extra updates as a share of those planned, in [0, 1], but never less than 50. A
            sweep alone is made of fewer than 200, four runs of 400 and more.
        react: whether to go back and on lower.
        monitor, mode: as in `ReduceLROnPlateau`; the short runs are always judged by the loss.
        data, validation_data: what to search with, where the fit's own can be read only once:
            anything `fit` takes as `x`, or a function that makes a new generator; and what
            `validation_data` takes.
        steps_per_epoch: where `fit` does not know it; see `FitSchedule`.
        seed: what the search shuffles with.
        verbose: 0 for silence.
        state_path: a file that keeps the choice for a run that goes on later; `TrainingBackup`
            keeps it too, with the best state. A fit that begins at a later epoch needs either.

    `found` is the `RangeTest` of the search, with its runs in `evidence`, or None where the choice
    was kept. For arrays, and data without an order of its own, the fit is the same to the bit as
    one with the same rate given by hand. The search costs its share of the updates, one compilation
    and the memory of a second copy of model and optimizer; the reaction one copy per new best.

    >>> import keras, numpy as np
    >>> from keras_lr.callbacks import AutoLearningRate
    >>> x = np.linspace(-1.0, 1.0, 64)[:, None]
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> auto = AutoLearningRate(verbose=0)
    >>> history = model.fit(x, 3.0 * x + 1.0, epochs=100, verbose=0, callbacks=[auto])
    >>> 0.01 < auto.peak < 1.0, history.history["loss"][-1] < 0.01
    (True, True)
    """

    sets_base = True
    found = None

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
        seed=0,
        verbose=1,
        state_path=None,
        optimizer=None,
    ):
        self.budget = checks.Number(minimum=0, maximum=1)("budget", budget)
        self.react = checks.flag("react", react)
        self.seed = checks.Number(minimum=0, integer=True)("seed", seed)
        self.given_steps_per_epoch = run_length.steps_per_epoch("steps_per_epoch", steps_per_epoch)
        self.planned = LinearToZero(1.0, "100%")
        if schedule is not None:
            self.planned = as_schedule("schedule", schedule)
        self._is_recommended = schedule is None
        self._data, self._validation_data = data, validation_data
        options = {"verbose": verbose, "optimizer": optimizer, "on_nan": "reduce"}
        super().__init__(monitor, _CUT, 1, mode=mode, min_delta=0.0, restore_best="all", **options)
        self.remember(state_path)

    def start(self):
        return AutoState()

    @property
    def peak(self):
        """The peak rate that was chosen; None before."""
        return self.state.peak

    # What it drives

    @property
    def contribution(self):
        return Contribution(self.schedule, self.state.factor)

    def contribution_to(self, run):
        if self.schedule is None or run == self.driver.run:
            return self.contribution
        return Contribution(self.build(run), self.state.factor)

    def build(self, run):
        """Returns the schedule, at the peak that was chosen, for a run of this length."""
        if self._is_recommended:
            return resolved(LinearToZero(self.peak, "100%"), run)
        return resolved(self.planned, run) * (self.peak / self._highest)

    # Hooks

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        run, epochs = self.driver.run, self.params.get("epochs") or 1
        if run.total_steps is None:
            raise ValueError(
                "AutoLearningRate must know how long the run is, and `fit` does not know the "
                "number of batches per epoch of this data. Give it steps_per_epoch=…: the number, "
                "or 'count' to have the data read once before training."
            )
        self.patience = max(1, round(_PATIENCE * epochs))
        self.schedule, self.found = None, None
        self._shape = resolved(self.planned, run)
        self._highest = float(np.max(self._shape.rates(int(run.total_steps))))
        if self._highest <= 0:
            checks.refuse("schedule", "a schedule with rates above 0", self.planned)
        call = FitCall.of(self.model)
        if call is None:
            raise ValueError(
                "AutoLearningRate searches with the data of a running `fit`, and cannot be "
                "attached. In a loop of your own call range_test(model, x, y) and give its "
                "suggestion to FitSchedule."
            )
        self._reacts = self.react and call.validation is not None

    def prepare(self, epoch):
        """Chooses, unless this run has gone on with the choice of another."""
        if self.peak is None:
            if epoch > 0:
                raise ValueError(
                    "AutoLearningRate must know the choice of the run that goes on here. Give it "
                    "state_path=… from the beginning, or list TrainingBackup beside it, which "
                    f"keeps it. Received: a fit that begins at epoch {epoch}, and neither of them"
                )
            self._choose()
        self.schedule = self.build(self.driver.run)
        if self._reacts and self._at_best is None:
            # Where the first epochs break, this is what there is to go back to.
            self._at_best = Snapshot(self.model, with_optimizer=True)

    def _evaluate(self, epoch, logs):
        if self._reacts:
            super()._evaluate(epoch, logs)

    def restore(self, entry):
        if not entry.get("arrays"):
            # Without the best state there is nothing that a best value could tell.
            forgotten = {"best": None, "wait": 0}
            entry = {**entry, "state": {**entry["state"], **forgotten}}
        super().restore(entry)

    # The choice

    def _choose(self):
        training, evaluation = self._search_data(FitCall.of(self.model))
        total = int(self.driver.run.total_steps)
        budget = max(int(self.budget * total), SHORTEST_SWEEP)
        shape = self._shape * (1.0 / self._highest)
        optimizer = self.optimizer or self.model.optimizer
        with Trials(self.model, training, budget, optimizer=optimizer) as trials:
            show = progress_of_all(budget, self.verbose)
            found = search(
                trials, budget, lambda n: Stretch(shape, n / total), evaluation, self.seed, show
            )
        self.found = found
        self.state = self.state._replace(peak=found.suggestion)
        if self.verbose:
            tell(self._told(trials.updates, evaluation is not None))

    def _told(self, updates, is_validated):
        name = type(self.planned).__name__
        by = "validation loss" if is_validated else "loss"
        runs = len(self.found.evidence)
        why = f"best {by} of {runs} short runs" if runs else f"from a sweep ({self.found.status})"
        return (
            f"AutoLearningRate: {name} with a peak of {self.peak:.3g} over "
            f"{int(self.driver.run.total_steps):,} updates ({why}; {updates} updates tried)."
        )

    def _search_data(self, call):
        """Returns what `fit` trains on, and `evaluate` judges by; None for no such data."""
        training, evaluation = call.training, call.validation
        if self._data is not None:
            training |= {"x": self._data, "y": None, "sample_weight": None}
        x = data.readable_again("the `x` of fit", training["x"], "AutoLearningRate(data=…)")
        training["x"] = data.batches(x)
        training["shuffle"] = training["shuffle"] if data.may_shuffle(x) else False
        if self._validation_data is not None:
            return training, data.evaluation(self._validation_data, training["batch_size"])
        if evaluation is not None:
            place = "AutoLearningRate(validation_data=…)"
            data.readable_again("`validation_data` of fit", evaluation["x"], place)
            return training, evaluation
        return held_back(training, HELD_BACK)
