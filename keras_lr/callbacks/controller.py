"""Callbacks that follow a metric: a state, and a pure transition once per evaluation."""

import json
from typing import NamedTuple

from keras_lr import checks
from keras_lr.callbacks.base import RateCallback
from keras_lr.driving import entries
from keras_lr.driving.contribution import Contribution
from keras_lr.driving.messages import tell, verbosity
from keras_lr.driving.state_file import StateFile
from keras_lr.keras_private.fit_call import FitCall


class ControllerState(NamedTuple):
    """The least a controller remembers: its factor, and the absolute rate if it names one."""

    factor: float = 1.0
    rate: float | None = None


class StatefulCallback(RateCallback):
    """The base of callbacks whose contribution changes between updates, from a state.

    `start()` returns the first state: a NamedTuple of numbers, texts, None and tuples of these,
    with the fields of `ControllerState`. `state_path` names a file of this callback alone, where
    the state is kept after every epoch, a line with a checksum each. A `fit` that begins at a later
    epoch (`initial_epoch`, or `BackupAndRestore`) takes from it the state of the weights that were
    restored, by epochs and batches done. Where there is none, the file is damaged, another's or
    in use by another process, it raises ValueError and says what to do. A `fit` that begins at
    epoch 0 with no update done begins the file anew, and says so. List the callback before the one
    that saves weights.
    """

    follows_metrics = True
    # Fields that states of earlier versions have, and those that they do not have.
    gone_fields: tuple[str, ...] = ()
    new_fields: tuple[str, ...] = ()
    _given_state = None

    def remember(self, state_path):
        """Takes the argument `state_path`, and begins with the first state."""
        self.state_path = state_path
        self.state_file = StateFile.at("state_path", state_path)
        self.state = self.start()

    def start(self) -> tuple:
        """Returns the state before the first evaluation."""
        return ControllerState()

    @property
    def contribution(self):
        return Contribution(self.state.rate, self.state.factor)

    def planned_contribution(self, run):
        begin = self.state if self._goes_on else self.start()
        return Contribution(begin.rate, begin.factor)

    def entry(self, moment):
        """Returns the present state with the moment that it belongs to, as files hold it."""
        if "epoch" in moment:
            moment = {**moment, "epoch": self.epoch_in_run(moment["epoch"])}
        return {"callback": self.owner, "state": self.state._asdict(), **moment}

    def __getstate__(self):
        kept = super().__getstate__()
        # Without its driver a copy does not know which rates there were.
        goes_on = self._goes_on and self._given_state is None
        return {**kept, "_given_state": self.get_state()} if goes_on else kept

    @property
    def _goes_on(self):
        """Tells whether a fit that begins now goes on with what the one before has left."""
        return self.follows_metrics and self.left_off is not None

    def get_state(self):
        if not self.follows_metrics:
            return super().get_state()
        moment = {} if self.driver is None else self.driver.saved.moment
        return json.loads(json.dumps(self.entry(moment)))

    def set_state(self, state):
        if not self.follows_metrics:
            super().set_state(state)
            return
        if not isinstance(state, dict) or state.get("callback") != self.owner:
            checks.refuse("state", f"what `get_state` of another {self.owner} returned", state)
        if self.across_fits:
            self._left_off = self.driver = None
        self.restore(state)
        self._given_state = state

    def take_given_state(self):
        """Returns, once, what `set_state` was given; None without it."""
        given, self._given_state = self._given_state, None
        return given

    def restore(self, entry):
        """Takes the state of an entry; raises ValueError if it is not one of this callback."""
        found, fields = entry.get("state"), self.start()._fields
        if isinstance(found, dict):
            first = {name: getattr(self.start(), name) for name in self.new_fields}
            kept = {name: value for name, value in found.items() if name not in self.gone_fields}
            found = {**first, **kept}
        if not isinstance(found, dict) or set(found) != set(fields):
            required = f"a state of {self.owner}, with the fields {', '.join(fields)}"
            checks.refuse("state", required, found)
        values = entries.state_values(found, self.start()._asdict())
        self.state = type(self.start())(**values)
        if self._left_off is None:
            self.go_on_from(entry)

    def checkpoint(self):
        return self.state

    def go_back(self, checkpoint):
        self.state = checkpoint

    def on_train_begin(self, logs=None):
        if self._goes_on and self._given_state is None:
            self._given_state = self.get_state()
        super().on_train_begin(logs)
        self.state = self.start()


class Controller(StatefulCallback):
    """The base of callbacks that follow a metric: a pure transition, once per evaluation.

    A subclass gives `start() → state` and `update(state, value, rate) → state`; `rate` is the one
    that the next update would be made with. Neither touches a model, so a decision is tested with
    a list of numbers. `state_path` is explained in `StatefulCallback`.
    """

    start_from_epoch = 0

    def __init__(
        self,
        monitor,
        verbose=0,
        on_train_end="keep",
        state_path=None,
        optimizer=None,
        across_fits=False,
    ):
        super().__init__(optimizer, across_fits)
        if not isinstance(monitor, str):
            checks.refuse("monitor", "a string, the name of a metric", monitor)
        self.monitor = monitor
        self.verbose = verbosity("verbose", verbose)
        ends = checks.Choice(("keep", "restore_initial"))
        self.restores_initial = ends("on_train_end", on_train_end) == "restore_initial"
        self.remember(state_path)

    @property
    def monitored(self):
        """The metric that every epoch has to bring; None without which it works, too."""
        return self.monitor

    def update(self, state, value, rate):
        """Returns the state after the metric was seen to be `value`."""
        raise NotImplementedError(f"{type(self).__name__} must define `update`.")

    @property
    def uses_absolute_rates(self):
        """Tells whether decisions depend on how large the rate is, and not on the metric alone."""
        return self.sets_base

    def decide(self, epoch, state, value, rate):
        """Returns the state after the value of an epoch, which may be too early to look at."""
        return state if epoch < self.start_from_epoch else self.update(state, value, rate)

    def stops(self, state, value):
        """Tells whether the training ends with this value, which has led to this state."""
        return False

    def act(self, before, after, value):
        """Does to the model what follows from a transition, before the rate changes."""

    def explain(self, before, after, value):
        """Returns why the rate changed, in a few words."""
        return f"{self.monitor} = {value:.4g}"

    # Hooks

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._seen = False

    def restore(self, entry):
        super().restore(entry)
        # With validation_freq the epochs to come may bring none, if there was one before.
        self._seen = entry.get("epoch", 0) > 0

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if not self.driver.is_undone(epoch):
            self._evaluate(epoch, logs or {})
        self.driver.decided(self, epoch + 1)

    def _evaluate(self, epoch, logs):
        value = logs.get(self.monitor)
        if value is None:
            self._miss(epoch, logs)
            return
        self._seen = True
        self.observe(epoch, self._number(value))

    def _number(self, value):
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError):
            raise ValueError(
                f"`monitor` must be a metric that is one number per epoch. Received: "
                f"monitor={self.monitor!r}, which is {checks.shown(value)}. Compile the metric "
                "with an average, as in F1Score(average='macro')."
            ) from None

    def observe(self, epoch, value):
        """Takes one value of the metric and applies what follows from it."""
        before, rate = self.state, self.driver.next_rate(self)
        self.state = self.decide(self.epoch_in_run(epoch), before, value, rate)
        self.act(before, self.state, value)
        if (before.factor, before.rate) != (self.state.factor, self.state.rate):
            reason = self.explain(before, self.state, value)
            self.driver.update(epoch, self, reason)
            if self.verbose:
                self._tell(epoch, rate, self.driver.next_rate(self), reason)

    def _tell(self, epoch, before, after, reason):
        verb = "reducing" if after < before else "raising"
        name = type(self).__name__
        tell(f"Epoch {epoch + 1}: {name} {verb} learning rate to {after:.4g} ({reason}).")

    def _miss(self, epoch, logs):
        no_validation_yet = not any(key.startswith("val_") for key in logs)
        call = FitCall.of(self.model)
        if self._seen or (
            self.monitor.startswith("val_")
            and no_validation_yet
            and call is not None
            and call.validates_after(self.model, epoch)
        ):
            return
        raise ValueError(
            f"{type(self).__name__} monitors `{self.monitor}`, which epoch {epoch + 1} did not "
            f"bring. Available: {', '.join(sorted(logs)) or 'nothing'}. Give fit "
            "validation_data=…, compile the metric, or list the callback that adds it first."
        )
