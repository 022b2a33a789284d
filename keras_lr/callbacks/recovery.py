"""`RecoverFromDivergence`: back to the last good state at a lower rate, instead of NaN."""

import math
from statistics import median
from typing import NamedTuple

from keras_lr import checks
from keras_lr.callbacks.progress import ProgressController
from keras_lr.callbacks.scheduled import interval
from keras_lr.diagnosis import statistics
from keras_lr.driving.good_states import Checkpoint, GoodStates, Stretch
from keras_lr.keras_private.building import build_before_training
from keras_lr.keras_private.copies import non_finite
from keras_lr.keras_private.step_state import refuse_unbuilt_optimizers

# After a rate above so many times the median of those before, a rise is excused: see `update`.
_RAISED = 2.0


class RecoveryState(NamedTuple):
    """The first batch's value, the first good one, the best, the last and their rates."""

    factor: float = 1.0
    rate: float | None = None
    at_first: float | None = None
    first: float | None = None
    best: float | None = None
    good: tuple = ()
    rates: tuple = ()
    begun_at: float | None = None
    divergences: int = 0

    def with_good(self, value, rate, is_better, window):
        """Returns the state after a good value; the next one is trained for at `rate`."""
        begun_at = rate if self.begun_at is None else self.begun_at
        return self._replace(
            first=value if self.first is None else self.first,
            best=value if is_better(value, self.best) else self.best,
            good=(*self.good, value)[-window:],
            rates=(*self.rates, begun_at)[-window:],
            begun_at=rate,
        )


class RecoverFromDivergence(ProgressController):
    """Goes back to the last good state when training diverges, and on at `factor` × the rate.

    What goes back, bit for bit: weights, statistics and buffers; slots and iterations of all
    optimizers, so that schedules go back in time; our other metric callbacks, as if they had not
    seen the epoch; and a rate that somebody else has raised since. Keras cannot repeat an epoch:
    the run goes on with the next one, and makes that many good updates less. Random numbers go on.

    Training has diverged when `monitor` is NaN or infinite at the end of an epoch; when it has
    exploded, that is, is `threshold` spreads beyond the median of its last good values (of which
    `window` are remembered; the rule is in `diagnosis.statistics.has_diverged`; None leaves
    explosions alone); or when a weight or a slot is NaN or infinite, though the loss does not show
    it.

    The loss of an epoch does not show its last update. So the state after it is in doubt until the
    next epoch's first batch has gone well, or training goes back to before that epoch. Of the very
    last update of a fit only NaN and infinity are seen. This is no
    cure for a rate too high from the start: a network that dies, at a constant guess, is near.

    `every=n` looks after every n batches, across epochs, at the mean loss of just these, and goes
    on in the middle of the epoch, whose logs are then of the batches since. It is for epochs so
    long that one is much to lose. What is left over at the end of an epoch must leave no NaN.

    Costs: each look reads the loss once or twice, waits for the device (3 to 12 ms), and copies
    weights and slots to host memory (3 to 25 ms of CPU per million weights under Adam); a batch
    costs nothing. Two or three copies are held.

    `max_recoveries` is the budget of a fit. After it the next divergence is a `RuntimeError` that
    lists all of them and leaves the best state in the model. `recoveries` counts; a recorder's
    events and, unless `verbose` is 0, the screen say when and why. List savers after this callback,
    or they save what has diverged; `SwapEMAWeights` too. `TerminateOnNaN` still ends the training,
    with the last good state in the model. `on_train_end="restore_initial"` undoes the cuts.
    `state_path`: see `StatefulCallback`; a run that goes on after a stop can go back to where it
    went on, not before.

    >>> from keras_lr.callbacks import RecoverFromDivergence
    >>> rule = RecoverFromDivergence(mode="min")
    >>> state, factors = rule.start(), []
    >>> for loss in [1.0, 0.8, float("nan"), 0.9, 0.6, 6.0, 0.7]:
    ...     state = rule.update(state, loss, rate=0.1)
    ...     factors.append(state.factor)
    >>> factors
    [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]

    Source: asked for in Keras' issue 8332.
    """

    gone = {"directory": "the copies are held in the host's memory."}

    def __init__(
        self,
        monitor="loss",
        factor=0.5,
        max_recoveries=5,
        *,
        threshold=10.0,
        window=20,
        every: int | str = "epoch",
        mode="auto",
        verbose=1,
        on_train_end="keep",
        state_path=None,
        optimizer=None,
        across_fits=False,
    ):
        self.factor = checks.Number(above=0, below=1)("factor", factor)
        self.max_recoveries = checks.Number(minimum=0, integer=True)(
            "max_recoveries", max_recoveries
        )
        self.threshold = None if threshold is None else checks.POSITIVE("threshold", threshold)
        self.window = checks.Number(minimum=1, integer=True)("window", window)
        self.every = interval(every)
        if self.every != "epoch" and monitor != "loss":
            checks.refuse("monitor", "'loss' where `every` is a number of batches", monitor)
        super().__init__(monitor, mode, verbose, on_train_end, state_path, optimizer, across_fits)
        # Validation has seen the weights as they are; what training tells lacks the last update.
        self._lags = not monitor.startswith("val_")
        self._begin_anew()

    def _begin_anew(self):
        self._states, self._told, self._stretch = None, [], Stretch()
        self._epoch, self._first_batch, self._is_in_epoch = 0, 0, False
        self._is_in_doubt, self._never_finite = False, frozenset()
        # Of the look under way: what was seen, and the state that it was seen at.
        self._symptom, self._seen_state = None, None
        self._decisions = None

    @property
    def recoveries(self):
        """How often the training went back and on."""
        return min(self.state.divergences, self.max_recoveries)

    # The rule

    def start(self):
        return RecoveryState()

    def update(self, state, value, rate):
        if not self.has_diverged(state, value):
            return state.with_good(value, rate, self.is_better, self.window)
        state = state._replace(divergences=state.divergences + 1)
        if state.divergences > self.max_recoveries:
            return state
        return state._replace(factor=state.factor * self.factor, begun_at=rate * self.factor)

    def has_diverged(self, state, value):
        """Tells whether a value is not finite, or has exploded."""
        return statistics.has_diverged(
            value,
            state.good,
            self.threshold,
            lower_is_better=self.lower_is_better,
            at_first=state.at_first,
            gained=abs(state.first - state.best) if state.good else 0.0,
            # As after a restart.
            excused=bool(state.good) and state.begun_at > _RAISED * median(state.rates),
        )

    def explain(self, before, after, value):
        symptom = self._symptom or f"{self.monitor} = {value:.4g}"
        return f"{symptom}, recovery {after.divergences} of {self.max_recoveries}"

    # When it looks

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if sum(isinstance(c, RecoverFromDivergence) for c in self.driver.callbacks) > 1:
            raise ValueError(
                "At most one RecoverFromDivergence can be in a fit. Received: 2. Remove one."
            )
        if self.every != "epoch" and all(m.name != "loss" for m in self.model.metrics):
            raise ValueError(
                "`every` must be 'epoch' for a model that has no metric of the name 'loss'. "
                f"Received: every={self.every}"
            )
        refuse_unbuilt_optimizers(self.model)
        self._begin_anew()

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        if self._states is None:
            self._begin_states()
        self._decisions = self.driver.decisions()
        self._epoch, self._is_in_epoch, self._first_batch = epoch, True, 0

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(batch, logs)
        seen = batch - self._first_batch
        count = self._stretch.count(seen)
        if self.every != "epoch" and count >= self.every:
            self._look(seen, self._running_mean())
        elif self._is_in_doubt and count > 0:
            # One batch of it shows whether the state that the stretch began with was good.
            self._is_in_doubt = False
            mean = self._running_mean()
            if mean is None or self._began_well(self._stretch.mean(seen, mean)):
                self._states.trust()

    def _began_well(self, value):
        self.settle_if_open()
        if self.state.at_first is None and math.isfinite(value):
            self.state = self.state._replace(at_first=value)
        return not self.has_diverged(self.state, value)

    def _running_mean(self):
        # Not from a batch's logs: a callback that reads them has Keras wait for every batch. To
        # read `model` here also has the JAX trainer give the variables their values, and take
        # them from there for this batch.
        mean = self.model.get_metrics_result().get(self.monitor)
        return None if mean is None else float(mean)

    def on_epoch_end(self, epoch, logs=None):
        self._is_in_epoch = False
        super().on_epoch_end(epoch, logs)

    def observe(self, epoch, value):
        self.settle_if_open()
        seen = max(self.driver.batches.ended, 1) - self._first_batch
        if self.every == "epoch":
            self._judge(value)
            self._stretch.begin()
        elif self._stretch.count(seen) >= self.every or not math.isfinite(value):
            self._look(seen, value)
            self._stretch.begin()
        elif lost := non_finite(self.model) - self._never_finite:
            # Too few batches for a look; but the training may end here, and savers see the weights.
            self._judge(math.nan, f"NaN or infinity in {min(lost)}")
            self._stretch.begin()
        else:
            self._stretch.end_epoch(seen, value)

    def _look(self, seen, mean):
        """Judges the stretch that ends here, after `seen` batches in the running mean."""
        before = self.state.divergences
        self._judge(self._stretch.mean(seen, mean))
        if self.state.divergences == before:
            self._stretch.begin(seen, mean)
        elif self._is_in_epoch:
            self.model.reset_metrics()
            self._first_batch = self.driver.batches.last_begun
            self._stretch.begin()

    # What follows for the model

    def _begin_states(self):
        build_before_training(self.model)
        start = self._checkpoint(None, "from before the training")
        lost = start.snapshot.non_finite & {v.path for v in self.model.trainable_variables}
        if lost:
            self.driver.finish()
            raise ValueError(
                "Every weight must be finite before training, to have a state to go back to. "
                f"Received: NaN or infinity in {', '.join(sorted(lost))}"
            )
        # A mask may hold infinity from the start.
        self._never_finite = start.snapshot.non_finite
        self._states = GoodStates(start, lambda new, old: self.is_better(new.value, old.value))
        self._is_in_doubt = self._lags

    def _checkpoint(self, value, name):
        return Checkpoint.now(self.driver, self.model, value, name)

    def _judge(self, value, symptom=None):
        self._symptom, self._seen_state = symptom or f"{self.monitor} = {value:.4g}", None
        if not self.has_diverged(self.state, value):
            name = f"of epoch {self._epoch + 1} ({self._symptom})"
            self._seen_state = self._checkpoint(value, name)
            lost = self._seen_state.snapshot.non_finite - self._never_finite
            if lost:
                self._symptom, value = f"NaN or infinity in {min(lost)}", math.nan
        super().observe(self._epoch, value)
        self._symptom = self._seen_state = None

    def act(self, before, after, value):
        self._is_in_doubt = self._lags
        if after.divergences == before.divergences:
            self._states.add(self._seen_state)
            if not self._lags:
                self._states.trust()
            return
        self._told.append(f"epoch {self._epoch + 1}: {self._symptom}")
        if after.divergences > self.max_recoveries:
            self._give_up()
        self._states.back().restore(self.driver)
        self._symptom += f", back to update {self.driver.driven[0].updates_done()}"
        undone = None if self._is_in_epoch else self._epoch
        self.driver.undo_decisions(self._decisions, cause=self, epoch=undone)

    def _give_up(self):
        best, told = self._states.best, "; ".join(self._told)
        best.restore(self.driver)
        # Nobody calls `on_train_end` after an error, nor has anybody a last word.
        self.driver.finish()
        self._forget_states()
        raise RuntimeError(
            f"Training diverged ({told}), and the {self.max_recoveries} recoveries allowed are "
            f"spent. The model has the weights {best.name}. Try a lower rate, which range_test "
            "finds, or Warmup; clipnorm=1.0 in the optimizer; a look for NaN and extremes in the "
            "data; a smaller `factor` or more `max_recoveries`; threshold=None if the rises are "
            "meant to be."
        )

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        self._forget_states()

    def _forget_states(self):
        self._states = self._seen_state = self._decisions = None
