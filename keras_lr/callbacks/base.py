"""What our callbacks share: joining the driver, watching a metric, taking pure decisions."""

import math
from typing import NamedTuple

import keras

from keras_lr import checks
from keras_lr.driving.custom_loop import ByHand
from keras_lr.driving.driver import Driver
from keras_lr.driving.messages import tell, verbosity
from keras_lr.driving.saved_state import Remembering, file_path
from keras_lr.keras_private import fit_call
from keras_lr.schedules.fields import resolved

_UP = ("accuracy", "acc", "auc", "precision", "recall", "f1", "iou", "dice", "r2", "bleu")
_DOWN = ("loss", "error", "mse", "mae", "mape", "msle", "rmse", "perplexity", "divergence")


class RateCallback(ByHand, Remembering, keras.callbacks.Callback):
    """The base of all callbacks that have to do with the rate.

    `schedule` is a pure function of the fit's clock, or None; `follows_metrics` tells that
    `state` has a factor or rate that changes with the metrics; `sets_base` that rates are
    absolute, so that the optimizer's own no longer count; `writes_rate` that the rate is put into
    the logs.
    """

    sets_base = False
    writes_rate = False
    follows_metrics = False
    restores_initial = False
    schedule = None

    def __new__(cls, *args, **options):
        callback = super().__new__(cls)
        callback._given = args, options
        return callback

    def __repr__(self):
        args, options = self._given
        told = [*map(repr, args), *(f"{name}={value!r}" for name, value in options.items())]
        return f"{type(self).__name__}({', '.join(told)})"

    def on_train_begin(self, logs=None):
        self.driver = Driver.of(self, self.model)
        self.driver.join(self)

    def on_epoch_begin(self, epoch, logs=None):
        self.driver.start(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        self.driver.look_for_foreign_writes()

    def on_train_end(self, logs=None):
        self.driver.finish()

    def foresee(self, highest):
        """Called before the first update with the highest rate to come as things stand."""

    def take_note(self):
        """Called before and after the clock is set back: for those who keep a record."""

    def __getstate__(self):
        # A driver belongs to one fit, and cannot be pickled.
        return {name: value for name, value in vars(self).items() if name != "driver"}


class StepCallback(RateCallback):
    """The base of callbacks that are pure functions of the update: no host work per batch.

    t at the first update of a fit is `initial_epoch` × updates per epoch, so that a second fit
    begins at 0 and a resumed one goes on. `steps_per_epoch`, in batches, is needed only where
    `fit` does not know it, as with a data set of unknown cardinality; "count" reads the data once
    before training. Told to one callback of a fit, all of them know it.
    """

    def __init__(self, steps_per_epoch=None):
        super().__init__()
        self.given_steps_per_epoch = fit_call.steps_per_epoch("steps_per_epoch", steps_per_epoch)

    def build(self, run):
        """Returns the schedule over the fit's clock, for a run of this length: of `planned`."""
        return resolved(self.planned, run)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._batch = 0
        try:
            self.schedule = self.build(self.driver.run)
        except ValueError as error:
            if self.driver.run.steps_per_epoch is not None:
                raise
            error.add_note(
                "`fit` does not know the number of batches per epoch of this data. Give the "
                f"callback {type(self).__name__}(…, steps_per_epoch=…): the number, or 'count' to "
                "have the data read once before training; or give the duration in updates."
            )
            raise

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(batch, logs)
        self._batch = batch

    def on_epoch_end(self, epoch, logs=None):
        self.driver.end_epoch(self._batch, epoch)


class ControllerState(NamedTuple):
    """The least a controller remembers: its factor, and the absolute rate if it names one."""

    factor: float = 1.0
    rate: float = None


class Controller(RateCallback):
    """The base of callbacks that follow a metric: a pure transition, once per evaluation.

    A subclass gives `start() → state` and `update(state, value, rate) → state`, NamedTuples that
    have the fields of `ControllerState`; `rate` is the one that the next update would be made
    with. Neither touches a model, so a decision is tested with a list of numbers.

    `state_path` names a file of this callback alone, where its state is kept after every epoch,
    written in one piece. A `fit` that begins at a later epoch (`initial_epoch`, or
    `BackupAndRestore`) takes from it the state of the weights that were restored, by epochs and
    batches done; where there is none, or the file is damaged or another's, it raises ValueError and
    says what to do. A `fit` that begins at epoch 0 with no update done begins the file anew, and
    says so. List the callback before the one that saves weights.
    """

    follows_metrics = True
    start_from_epoch = 0

    def __init__(self, monitor, verbose=0, on_train_end="keep", state_path=None):
        super().__init__()
        if not isinstance(monitor, str):
            checks.refuse("monitor", "a string, the name of a metric", monitor)
        self.monitor = monitor
        self.verbose = verbosity("verbose", verbose)
        ends = checks.Choice(("keep", "restore_initial"))
        self.restores_initial = ends("on_train_end", on_train_end) == "restore_initial"
        self.state_path = file_path("state_path", state_path)
        self.state = self.start()

    def restore(self, entry):
        super().restore(entry)
        # With validation_freq the epochs to come may bring none, if there was one before.
        self._seen = entry.get("epoch", 0) > 0

    def start(self):
        """Returns the state before the first evaluation."""
        return ControllerState()

    def update(self, state, value, rate):
        """Returns the state after the metric was seen to be `value`."""
        raise NotImplementedError(f"{type(self).__name__} must define `update`.")

    @property
    def uses_absolute_rates(self):
        """Tells whether decisions depend on how large the rate is, and not on the metric alone."""
        return self.sets_base

    def stops(self, value):
        """Tells whether the training ends with this value."""
        return False

    def act(self, before, after, value):
        """Does to the model what follows from a transition, before the rate changes."""

    def explain(self, before, after, value):
        """Returns why the rate changed, in a few words."""
        return f"{self.monitor} = {value:.4g}"

    # Hooks

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.state = self.start()
        self._seen = False

    def on_epoch_end(self, epoch, logs=None):
        if self.driver.undone_epoch != epoch:
            self._evaluate(epoch, logs or {})
        self.driver.remember(self, epoch + 1)

    def _evaluate(self, epoch, logs):
        value = logs.get(self.monitor)
        if value is None:
            self._miss(epoch, logs)
            return
        self._seen = True
        self.observe(epoch, float(value))

    def observe(self, epoch, value):
        """Takes one value of the metric and applies what follows from it."""
        if epoch < self.start_from_epoch:
            return
        before, rate = self.state, self.driver.next_rate()
        self.state = self.update(before, value, rate)
        self.act(before, self.state, value)
        if (before.factor, before.rate) != (self.state.factor, self.state.rate):
            reason = self.explain(before, self.state, value)
            self.driver.update(epoch, self, reason)
            if self.verbose:
                self._tell(epoch, rate, self.driver.next_rate(), reason)

    def _tell(self, epoch, before, after, reason):
        verb = "reducing" if after < before else "raising"
        name = type(self).__name__
        tell(f"Epoch {epoch + 1}: {name} {verb} learning rate to {after:.4g} ({reason}).")

    def _miss(self, epoch, logs):
        no_validation_yet = not any(key.startswith("val_") for key in logs)
        to_come = self.monitor.startswith("val_") and no_validation_yet
        if self._seen or (to_come and _validates_after(epoch, self.model)):
            return
        raise ValueError(
            f"{type(self).__name__} monitors `{self.monitor}`, which epoch {epoch + 1} did not "
            f"bring. Available: {', '.join(sorted(logs)) or 'nothing'}. Give fit "
            "validation_data=…, compile the metric, or list the callback that adds it first."
        )


def _validates_after(epoch, model):
    """Tells whether the running `fit` is to validate after a later epoch (`validation_freq`)."""
    for frame in fit_call.fits_under_way(model)[:1]:
        given = frame.f_locals
        later = range(epoch + 1, given["epochs"])
        return given["validation_data"] is not None and any(
            model._should_eval(e, given["validation_freq"]) for e in later
        )
    return False


class ProgressController(Controller):
    """The base of controllers that have to know which way their metric improves.

    `mode` is "min", "max", or "auto": the direction that Keras knows of the metric, or else that
    of its name; where neither tells, training does not begin.
    """

    def __init__(self, monitor, mode="auto", verbose=0, on_train_end="keep", state_path=None):
        super().__init__(monitor, verbose, on_train_end, state_path)
        self.mode = checks.Choice(("auto", "min", "max"))("mode", mode)
        self.lower_is_better = mode != "max"

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        # Keras builds the metrics of a new model with its first batch on some back ends.
        self._direction_is_open = False
        self.settle(may_wait=not self._metrics_are_built())

    def observe(self, epoch, value):
        if self._direction_is_open:
            self.settle()
        super().observe(epoch, value)

    def _metrics_are_built(self):
        return all(getattr(metric, "built", True) for metric in self.model.metrics)

    def settle(self, may_wait=False):
        """Finds out which way is better; raises where that cannot be known."""
        lower = _is_lower_better(self.monitor, self.mode, self.model)
        if lower is None and not may_wait:
            raise ValueError(
                "`mode` must be 'min' or 'max' for a metric whose direction cannot be known. "
                f"Received: mode='auto' with monitor={self.monitor!r}"
            )
        self._direction_is_open = lower is None
        self.lower_is_better = lower

    def is_better(self, value, best, margin=0.0):
        """Tells whether a value beats the best by more than a margin; NaN and infinity never do."""
        if not math.isfinite(value):
            return False
        if best is None:
            return True
        return value < best - margin if self.lower_is_better else value > best + margin


def _is_lower_better(monitor, mode, model):
    if mode != "auto":
        return mode == "min"
    name = monitor.removeprefix("val_")
    for metric in _compiled_metrics(model):
        if metric.name == name and getattr(metric, "_direction", None) in ("up", "down"):
            return metric._direction == "down"
    words = name.lower().split("_")
    if any(word in _DOWN for word in words):
        return True
    return False if any(word in _UP for word in words) else None


def _compiled_metrics(model):
    # A callback that was in no fit yet has no model.
    for metric in getattr(model, "metrics", ()):
        yield from getattr(metric, "metrics", None) or [metric]
