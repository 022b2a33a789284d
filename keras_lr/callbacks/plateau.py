"""`ReduceLROnPlateau`: Keras' callback, on any optimizer."""

import math
from typing import NamedTuple

import keras

from keras_lr import checks
from keras_lr.callbacks.progress import SMOOTHING_INSTEAD, BestController, lowered
from keras_lr.driving.messages import tell
from keras_lr.keras_private.copies import Snapshot
from keras_lr.keras_private.step_state import refuse_unbuilt_optimizers

_NO_WEIGHTS = (
    "left out with restore_best, whose weights are no JSON: TrainingBackup keeps both, and goes on "
    "after a stop"
)


class PlateauState(NamedTuple):
    """What the rule remembers from one evaluation to the next."""

    factor: float = 1.0
    rate: float | None = None
    best: float | None = None
    wait: int = 0
    cooldown_counter: int = 0
    mean: float = 0.0
    averaged: int = 0
    cuts: int = 0


class ReduceLROnPlateau(BestController):
    """Multiplies the rate by `factor` when a metric has stopped improving.

    Keras' arguments and behaviour, and it works on top of a schedule: the applied rate is
    schedule × the factors so far. After `patience` evaluations in a row without an improvement
    the next update's rate is cut. After a cut, `cooldown` evaluations pass before the next bad one
    counts, of which, as in Keras, the evaluation that ends the cooldown counts itself. No cut
    brings the next update's rate under `min_lr`. What an improvement is, by `min_delta`,
    `threshold_mode` and `smoothing`, is said in `BestController`; epochs before
    `start_from_epoch` (from 0) are not looked at.

    NaN and infinity never become the best. With `on_nan="bad"` they count as evaluations without
    an improvement once there is a best, as in Keras; "ignore" passes over them; "reduce" cuts at
    once, whatever patience and cooldown say; "stop" ends the training.

    `restore_best="weights"` returns, at each cut and at a stop, to the weights of the best epoch,
    bit for bit, statistics and buffers included; "all" also to all optimizers' state, moments and
    iterations, so that schedules go back in time with it and only the cuts stay. A new best then
    costs one copy of all that to host memory, an ordinary batch nothing. On noisy losses going
    back did worse than going on in our measurements. Under "all", list savers before this
    callback: an epoch that was undone cannot be counted afterwards.

    With `stop_after_cuts=n` the training ends where another cut would be due after n of them;
    `stop_at_min_lr=True` ends it where one would be due and the rate is at `min_lr`.

    `best`, `wait` and `cooldown_counter` can be read and written; like `monitor_op`,
    `in_cooldown()` and `_reset()` they are there for subclasses written for Keras' class, too. The
    rate of each epoch is in the logs, as `learning_rate`. `on_train_end="restore_initial"` undoes
    the cuts at the end of `fit`, the default keeps them. `state_path` keeps the state of every
    epoch in a file, for runs that are stopped and go on from a checkpoint: see `StatefulCallback`.

    >>> from keras_lr.callbacks import ReduceLROnPlateau
    >>> rule = ReduceLROnPlateau(factor=0.5, patience=2, mode="min")
    >>> state = rule.start()
    >>> for loss in [1.0, 1.1, 1.2, 1.3]:
    ...     state = rule.update(state, loss, rate=0.1)
    >>> state.factor, state.best, state.wait
    (0.5, 1.0, 1)

    Three values in a row at the lowest rate, and the training ends:

    >>> from keras_lr.callbacks import replay
    >>> rule = ReduceLROnPlateau(factor=0.1, patience=3, mode="min", stop_after_cuts=2)
    >>> found = replay(rule, [1.0] * 20)
    >>> found.stopped, len(found.epochs), found.factors[-1].round(3).item()
    (True, 10, 0.01)
    """

    gone = {"window": SMOOTHING_INSTEAD}
    gone_fields = ("recent",)
    new_fields = ("cuts",)

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
        on_nan="bad",
        restore_best: bool | str = False,
        start_from_epoch=0,
        stop_after_cuts=None,
        stop_at_min_lr=False,
        on_train_end="keep",
        state_path=None,
        optimizer=None,
        across_fits=False,
    ):
        count = checks.Number(minimum=0, integer=True)
        self.factor = checks.Number(above=0, below=1)("factor", factor)
        self.patience = count("patience", patience)
        self.cooldown = count("cooldown", cooldown)
        self.min_lr = checks.RATE("min_lr", min_lr)
        self.on_nan = checks.Choice(("bad", "ignore", "reduce", "stop"))("on_nan", on_nan)
        is_word = isinstance(restore_best, str) and restore_best in ("weights", "all")
        if restore_best is not False and not is_word:
            checks.refuse("restore_best", "False, 'weights' or 'all'", restore_best)
        self.restore_best = restore_best
        if restore_best and state_path is not None:
            checks.refuse("state_path", _NO_WEIGHTS, state_path)
        self.start_from_epoch = count("start_from_epoch", start_from_epoch)
        self.stop_after_cuts = None
        if stop_after_cuts is not None:
            positive = checks.Number(minimum=1, integer=True)
            self.stop_after_cuts = positive("stop_after_cuts", stop_after_cuts)
        self.stop_at_min_lr = checks.flag("stop_at_min_lr", stop_at_min_lr)
        if stop_at_min_lr and self.min_lr == 0:
            checks.refuse("min_lr", "above 0 with stop_at_min_lr: nothing is cut to 0", min_lr)
        self._refuse_what_is_never_called()
        self._at_best = self._best_of = self._monitor_op = None
        told = {"verbose": verbose, "on_train_end": on_train_end, "state_path": state_path}
        told |= {"optimizer": optimizer, "across_fits": across_fits}
        super().__init__(monitor, mode, min_delta, threshold_mode, smoothing, **told)

    def start(self):
        return PlateauState()

    def update(self, state, value, rate):
        if not math.isfinite(value) and self.on_nan != "bad":
            return self._cut(state, rate) if self.on_nan == "reduce" else state
        state, value = self.averaged(state, value)
        if state.best is None:
            return state._replace(best=value) if self._is_improvement(value, None) else state
        if state.cooldown_counter > 0:
            state = state._replace(cooldown_counter=state.cooldown_counter - 1, wait=0)
        if self._is_improvement(value, state.best):
            return state._replace(best=value, wait=0)
        if state.cooldown_counter > 0:
            return state
        state = state._replace(wait=state.wait + 1)
        return state if state.wait < self.patience else self._cut(state, rate)

    def _cut(self, state, rate):
        cut = lowered(self.factor, rate, self.min_lr)
        if cut == 1.0 or self._has_cut_enough(state):
            # It stays due.
            return state._replace(wait=max(state.wait, self.patience, 1))
        cooldown = {"wait": 0, "cooldown_counter": self.cooldown}
        return state._replace(factor=state.factor * cut, cuts=state.cuts + 1, **cooldown)

    def _has_cut_enough(self, state):
        return self.stop_after_cuts is not None and state.cuts >= self.stop_after_cuts

    @property
    def uses_absolute_rates(self):
        return self.min_lr > 0

    @property
    def lower_limit(self):
        """The rate below which nothing is cut: `min_lr`."""
        return self.min_lr

    def stops(self, state, value):
        if not math.isfinite(value) and self.on_nan in ("ignore", "stop"):
            return self.on_nan == "stop"
        is_due = state.wait >= max(self.patience, 1)
        return is_due and (self._has_cut_enough(state) or self.stop_at_min_lr)

    def explain(self, before, after, value):
        if not math.isfinite(value) and self.on_nan in ("reduce", "stop"):
            return f"{self.monitor} = {value}"
        waited = before.wait + 1
        return f"{self.monitor} no better than {before.best:.4g} for {waited} evaluations"

    # What follows for the model

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if self.restore_best == "all":
            refuse_unbuilt_optimizers(self.model)
        if self._left_off is None:
            self._reset()
        elif self._best_of is not self.model:
            self._at_best = None

    def restore(self, entry):
        super().restore(entry)
        is_kept = self._left_off is not None and self._at_best is not None
        if self.restore_best and self.state.best is not None and not is_kept:
            if not entry.get("arrays"):
                checks.refuse("state", _NO_WEIGHTS, entry["state"])
            whole = self.restore_best == "all"
            self._at_best = Snapshot.of(self.model, whole, entry["arrays"])

    def act(self, before, after, value):
        stops = self.stops(after, value)
        if stops:
            self.model.stop_training = True
            if self.verbose:
                tell(f"ReduceLROnPlateau ends the training ({self.explain(before, after, value)}).")
        if not self.restore_best:
            return
        if after.best != before.best:
            self._best_of = self.model
            self._at_best = Snapshot(self.model, with_optimizer=self.restore_best == "all")
        elif self._at_best is not None and (stops or after.factor != before.factor):
            self.driver.rewind(self._at_best.restore)

    def __getstate__(self):
        return {**super().__getstate__(), "_best_of": None}

    # As in Keras, for those who read it or derive from it.

    def _refuse_what_is_never_called(self):
        theirs = {"_reduce_optimizer_lr", "in_cooldown"} & _defined_below(type(self))
        if theirs:
            raise ValueError(
                "A subclass of this ReduceLROnPlateau must define `update(state, value, rate)` in "
                "the place of what is never called here: it returns the next state, whose `factor` "
                f"multiplies the rate. Received: {type(self).__name__} with "
                f"{', '.join(sorted(theirs))}"
            )

    def _reset(self):
        """Forgets best, wait and cooldown, not the cuts; called when a fit begins."""
        first, names = self.start(), ("best", "wait", "cooldown_counter", "mean", "averaged")
        self.state = self.state._replace(**{name: getattr(first, name) for name in names})
        self._at_best = None

    def in_cooldown(self):
        """Tells whether evaluations of a cooldown are left."""
        return self.cooldown_counter > 0

    @property
    def monitor_op(self):
        """`keras.ops.less` or `keras.ops.greater`; None until it is known which way is better."""
        if self._monitor_op is not None:
            return self._monitor_op
        if self._direction_is_open:
            return None
        return keras.ops.less if self.lower_is_better else keras.ops.greater

    @monitor_op.setter
    def monitor_op(self, function):
        self._monitor_op = function

    def _set_monitor_op(self):
        self.settle()

    def settle(self, may_wait=False):
        super().settle(may_wait)
        # Keras' sign: `monitor_op(value - min_delta, best)` is an improvement.
        self.min_delta = abs(self.min_delta) * (-1 if self.lower_is_better else 1)

    def _is_improvement(self, monitor_value, reference_value):
        """Tells whether a value beats the best so far by more than the margin."""
        if self._monitor_op is None or reference_value is None:
            return self.improves(monitor_value, reference_value)
        is_better = self._monitor_op(monitor_value - self.min_delta, reference_value)
        return math.isfinite(monitor_value) and bool(is_better)

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


def _defined_below(kind):
    """Returns the names that the subclasses between a class and `ReduceLROnPlateau` define."""
    below = kind.__mro__[: kind.__mro__.index(ReduceLROnPlateau)]
    return {name for each in below for name in vars(each)}
