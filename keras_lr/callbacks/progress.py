"""Controllers that know which way their metric improves, and rules that compare with the best."""

import math

from keras_lr import checks
from keras_lr.callbacks.controller import Controller
from keras_lr.keras_private import metrics

SMOOTHING_INSTEAD = "give `smoothing=(k - 1) / (k + 1)`, which weighs about k values."


class ProgressController(Controller):
    """The base of controllers that have to know which way their metric improves.

    `mode` is "min", "max", or "auto": the direction that Keras knows of the metric, or else that
    of its name; where neither tells, training does not begin.
    """

    # A `Snapshot` at the best value, where a subclass keeps one.
    _at_best = None

    def __init__(
        self,
        monitor,
        mode="auto",
        verbose=0,
        on_train_end="keep",
        state_path=None,
        optimizer=None,
        across_fits=False,
    ):
        super().__init__(monitor, verbose, on_train_end, state_path, optimizer, across_fits)
        self.mode = checks.Choice(("auto", "min", "max"))("mode", mode)
        self.lower_is_better = mode != "max"
        self._direction_is_open = mode == "auto"

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        # Keras builds the metrics of a new model with its first batch on some back ends.
        self._direction_is_open = False
        self.settle(may_wait=not metrics.are_built(self.model))

    def decide(self, epoch, state, value, rate):
        self.settle_if_open()
        return super().decide(epoch, state, value, rate)

    def settle_if_open(self):
        """Finds out which way is better, where that had to wait for the metrics to be built."""
        if self._direction_is_open:
            self.settle()

    def settle(self, may_wait=False):
        """Finds out which way is better; raises where that cannot be known."""
        lower = self.mode == "min"
        if self.mode == "auto":
            lower = metrics.is_lower_better(self.monitor, self.model)
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

    # The state at the best value goes where the best value goes.

    def checkpoint(self):
        return super().checkpoint(), self._at_best

    def go_back(self, checkpoint):
        state, self._at_best = checkpoint
        super().go_back(state)

    def get_arrays(self):
        return [] if self._at_best is None else self._at_best.arrays()

    def __getstate__(self):
        # It holds the model's variables; a `TrainingBackup` may still ask for it after the fit.
        return {**super().__getstate__(), "_at_best": None}


class BestController(ProgressController):
    """The base of rules that compare with the best so far: margin and smoothing.

    An improvement is more than `min_delta`, absolute (`threshold_mode="abs"`) or a share of the
    best value's size (`"rel"`: right for losses below 1e-4 and for negative ones). With
    `smoothing` s the metric is its bias-corrected exponential mean, of which a new value is the
    share (1 − s) / (1 − s^n) at evaluation n: the first is itself, constants stay what they are,
    and s = (k − 1) / (k + 1) weighs about k values. Values that are not finite stay out of it.
    """

    def __init__(self, monitor, mode, min_delta, threshold_mode, smoothing, **options):
        self.min_delta = checks.NOT_NEGATIVE("min_delta", min_delta)
        self.threshold_mode = checks.Choice(("abs", "rel"))("threshold_mode", threshold_mode)
        self.smoothing = checks.Number(minimum=0, below=1)("smoothing", smoothing)
        super().__init__(monitor, mode, **options)

    def averaged(self, state, value):
        """Returns the state with `value` in its mean, and the mean."""
        if not math.isfinite(value):
            return state, value
        count = state.averaged + 1
        share = (1.0 - self.smoothing) / (1.0 - self.smoothing**count)
        mean = state.mean + (value - state.mean) * share
        return state._replace(mean=mean, averaged=count), mean

    def improves(self, value, best):
        """Tells whether a value beats the best by more than the margin."""
        size = abs(best or 0.0) if self.threshold_mode == "rel" else 1.0
        return self.is_better(value, best, abs(self.min_delta) * size)


def lowered(multiplier, position, lowest):
    """Returns a multiplier < 1, or what of it leads to `lowest`: 1.0 for a position there."""
    # A float32 rate at the floor reads a hair above it: not worth another cut.
    if position <= lowest * (1 + 1e-6):
        return 1.0
    return max(multiplier, lowest / position)
