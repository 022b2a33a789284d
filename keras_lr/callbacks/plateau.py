"""`ReduceLROnPlateau`: Keras' callback, on any optimizer; and what rules about a best share."""

import math
import statistics
import warnings
from typing import NamedTuple

from keras_lr import checks
from keras_lr.callbacks.base import ProgressController
from keras_lr.keras_private.copies import Snapshot

_NO_WEIGHTS = (
    "left out with restore_best, whose weights are no JSON: TrainingBackup keeps both, and goes on "
    "after a stop"
)


class BestController(ProgressController):
    """The base of rules that compare with the best so far: margin and smoothing.

    An improvement is more than `min_delta`, absolute (`threshold_mode="abs"`) or a share of the
    best value's size (`"rel"`: right for losses below 1e-4 and for negative ones). With
    `smoothing` s the metric is its bias-corrected exponential mean, of which a new value is the
    share (1 − s) / (1 − s^n) at evaluation n: the first is itself, constants stay what they are,
    and s = (k − 1) / (k + 1) weighs about k values. With `window` k it is, before that, the median
    of the last k values, and the first k − 1 only fill the window: no outlier becomes the best.
    Values that are not finite stay out of both.
    """

    def __init__(self, monitor, mode, min_delta, threshold_mode, smoothing, window, **options):
        self.min_delta = checks.RATE("min_delta", min_delta)
        self.threshold_mode = checks.Choice(("abs", "rel"))("threshold_mode", threshold_mode)
        self.smoothing = checks.Number(minimum=0, below=1)("smoothing", smoothing)
        self.window = checks.Number(minimum=1, integer=True)("window", window)
        super().__init__(monitor, mode, **options)

    def averaged(self, state, value):
        """Returns the state with `value` in its mean, and the mean: None while the window fills."""
        if not math.isfinite(value):
            return state, value
        recent = (*state.recent, value)[-self.window :]
        state = state._replace(recent=recent)
        if len(recent) < self.window:
            return state, None
        value = statistics.median(recent)
        count = state.averaged + 1
        share = (1.0 - self.smoothing) / (1.0 - self.smoothing**count)
        mean = state.mean + (value - state.mean) * share
        return state._replace(mean=mean, averaged=count), mean

    def improves(self, value, best):
        """Tells whether a value beats the best by more than the margin."""
        size = abs(best) if self.threshold_mode == "rel" else 1.0
        return self.is_better(value, best, self.min_delta * size)


def lowered(multiplier, position, lowest):
    """Returns a multiplier < 1, or what of it leads to `lowest`: 1.0 for a position there."""
    # A float32 rate at the floor reads a hair above it: not worth another cut.
    if position <= lowest * (1 + 1e-6):
        return 1.0
    return max(multiplier, lowest / position)


class PlateauState(NamedTuple):
    """What the rule remembers from one evaluation to the next."""

    factor: float = 1.0
    rate: float = None
    best: float = None
    wait: int = 0
    cooldown_counter: int = 0
    mean: float = 0.0
    averaged: int = 0
    recent: tuple = ()


class ReduceLROnPlateau(BestController):
    """Multiplies the rate by `factor` when a metric has stopped improving.

    Keras' arguments and behaviour, and it works on top of a schedule: the applied rate is
    schedule × the factors so far. After `patience` evaluations in a row without an improvement
    the next update's rate is cut. After a cut, `cooldown` evaluations pass before the next bad one
    counts, of which, as in Keras, the evaluation that ends the cooldown counts itself. No cut
    brings the next update's rate under `min_lr`. What an improvement is, by `min_delta`,
    `threshold_mode`, `smoothing` and `window`, is said in `BestController`; epochs before
    `start_from_epoch` (from 0) are not looked at.

    NaN and infinity never become the best. With `on_nan="bad"` they count as evaluations without
    an improvement once there is a best, as in Keras; "ignore" passes over them; "reduce" cuts at
    once, whatever patience and cooldown say; "stop" ends the training.

    `restore_best="weights"` returns, at each cut and at a stop, to the weights of the best epoch,
    bit for bit, BatchNorm's statistics included; "all" also to the optimizer's state, moments and
    iterations, so that schedules go back in time with it and only the cuts stay. A new best then
    costs one copy of all that to host memory, an ordinary batch nothing. On noisy losses going
    back did worse than going on in our measurements. Under "all", list savers before this
    callback: an epoch that was undone cannot be counted afterwards.

    `best`, `wait` and `cooldown_counter` can be read and written. `on_train_end=
    "restore_initial"` undoes the cuts at the end of `fit`, the default keeps them. `state_path`
    keeps the state of every epoch in a file, for runs that are stopped and go on from a checkpoint:
    see `Controller`.

    >>> from keras_lr.callbacks import ReduceLROnPlateau
    >>> rule = ReduceLROnPlateau(factor=0.5, patience=2, mode="min")
    >>> state = rule.start()
    >>> for loss in [1.0, 1.1, 1.2, 1.3]:
    ...     state = rule.update(state, loss, rate=0.1)
    >>> state.factor, state.best, state.wait
    (0.5, 1.0, 1)
    """

    def __init__(
        self,
        monitor="val_loss",
        factor=0.1,
        patience=10,
        verbose=0,
        mode="auto",
        min_delta=1e-4,
        cooldown=0,
        min_lr=0.0,
        *,
        threshold_mode="abs",
        smoothing=0.0,
        window=1,
        on_nan="bad",
        restore_best=False,
        start_from_epoch=0,
        on_train_end="keep",
        state_path=None,
    ):
        count = checks.Number(minimum=0, integer=True)
        self.factor = checks.Number(above=0, below=1)("factor", factor)
        self.patience = count("patience", patience)
        self.cooldown = count("cooldown", cooldown)
        self.min_lr = checks.RATE("min_lr", min_lr)
        self.on_nan = checks.Choice(("bad", "ignore", "reduce", "stop"))("on_nan", on_nan)
        if restore_best is not False and restore_best not in ("weights", "all"):
            checks.refuse("restore_best", "False, 'weights' or 'all'", restore_best)
        self.restore_best = restore_best
        if restore_best and state_path is not None:
            checks.refuse("state_path", _NO_WEIGHTS, state_path)
        self.start_from_epoch = count("start_from_epoch", start_from_epoch)
        self._at_best = None
        told = {"verbose": verbose, "on_train_end": on_train_end, "state_path": state_path}
        super().__init__(monitor, mode, min_delta, threshold_mode, smoothing, window, **told)

    def start(self):
        return PlateauState()

    def update(self, state, value, rate):
        if not math.isfinite(value) and self.on_nan != "bad":
            return self._cut(state, rate) if self.on_nan == "reduce" else state
        state, value = self.averaged(state, value)
        if value is None:
            return state
        if state.best is None:
            return state._replace(best=value) if self.is_better(value, None) else state
        if state.cooldown_counter > 0:
            state = state._replace(cooldown_counter=state.cooldown_counter - 1, wait=0)
        if self.improves(value, state.best):
            return state._replace(best=value, wait=0)
        if state.cooldown_counter > 0:
            return state
        state = state._replace(wait=state.wait + 1)
        return state if state.wait < self.patience else self._cut(state, rate)

    def _cut(self, state, rate):
        cut = lowered(self.factor, rate, self.min_lr)
        if cut == 1.0:
            return state
        return state._replace(factor=state.factor * cut, wait=0, cooldown_counter=self.cooldown)

    @property
    def uses_absolute_rates(self):
        return self.min_lr > 0

    def stops(self, value):
        return self.on_nan == "stop" and not math.isfinite(value)

    def explain(self, before, after, value):
        if not math.isfinite(value) and self.on_nan == "reduce":
            return f"{self.monitor} = {value}"
        waited = before.wait + 1
        return f"{self.monitor} no better than {before.best:.4g} for {waited} evaluations"

    # What follows for the model

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._at_best = None

    def foresee(self, highest):
        if 0 < highest <= self.min_lr * (1 + 1e-6):
            warnings.warn(
                f"{self.owner} will never reduce the learning rate: its min_lr={self.min_lr} is "
                f"not below the highest rate to come, {highest:.4g}.",
                stacklevel=2,
            )

    def get_arrays(self):
        return [] if self._at_best is None else self._at_best.arrays()

    def restore(self, entry):
        super().restore(entry)
        if self.restore_best and self.state.best is not None:
            if not entry.get("arrays"):
                checks.refuse("state", _NO_WEIGHTS, entry["state"])
            whole = self.restore_best == "all"
            self._at_best = Snapshot.of(self.model, whole, entry["arrays"])

    def act(self, before, after, value):
        stops = self.stops(value)
        if stops:
            self.model.stop_training = True
        if not self.restore_best:
            return
        if after.best != before.best:
            self._at_best = Snapshot(self.model, with_optimizer=self.restore_best == "all")
        elif self._at_best is not None and (stops or after.factor != before.factor):
            self.driver.rewind(self._at_best.restore)

    def __getstate__(self):
        # It holds the model's variables; a `TrainingBackup` may still ask for it after the fit.
        return {**super().__getstate__(), "_at_best": None}

    # As in Keras, where they are plain attributes.

    @property
    def best(self):
        """The best value so far, averaged by `smoothing`; None before the first."""
        return self.state.best

    @best.setter
    def best(self, value):
        self.state = self.state._replace(best=None if value is None else float(value))

    @property
    def wait(self):
        """Evaluations without an improvement since the best or the last cut."""
        return self.state.wait

    @wait.setter
    def wait(self, value):
        self.state = self.state._replace(wait=int(value))

    @property
    def cooldown_counter(self):
        """Evaluations left of the cooldown after the last cut."""
        return self.state.cooldown_counter

    @cooldown_counter.setter
    def cooldown_counter(self, value):
        self.state = self.state._replace(cooldown_counter=int(value))
