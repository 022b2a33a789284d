"""`replay` and `plot_what_if`: what callbacks would have decided on recorded metrics."""

import copy
import inspect
from dataclasses import dataclass

import numpy as np

from keras_lr import checks
from keras_lr.callbacks.controller import Controller
from keras_lr.callbacks.progress import ProgressController
from keras_lr.driving.events import Event
from keras_lr.plotting import plot_replays
from keras_lr.plotting.schedules import shortened
from keras_lr.schedules.coerce import as_schedule
from keras_lr.traces import Trace

_SILENT = ("self", "verbose", "on_train_end")


def replay(callback, metrics, *, learning_rate=None, steps_per_epoch=1):
    """Returns the factors that a callback would have set on recorded metrics, as a `Replay`.

    `callback` follows a metric (`ReduceLROnPlateau`, `BoldDriver`, `LossThreshold`, …) and stays
    as it is. `metrics` are its metric's values, one per epoch, None where it was not measured; or
    a dict of such lists, a `History`, a `LearningRateRecorder`, or the path of a `CSVLogger`'s
    file, in which it looks up its `monitor`. Where `mode="auto"` cannot tell the direction from
    the name, give the callback a `mode`.

    `learning_rate` is what the optimizer would have without the callback: a number, a list of one
    rate per epoch, or a schedule, read at the first update of each epoch; `steps_per_epoch` says
    how many updates that is, by default 1, so that a schedule is over epochs. Without it, rates
    are multiples of 1.0; a callback with absolute rates (thresholds, `min_lr`, `max_lr`) needs it.

    The metrics are taken as they are: after another cut, or back at the best weights
    (`restore_best`), the model would have measured others.

    >>> from keras_lr.callbacks import ReduceLROnPlateau, replay
    >>> losses = [1.0, 0.8, 0.9, 0.9, 0.7]
    >>> found = replay(ReduceLROnPlateau(factor=0.5, patience=2), losses, learning_rate=0.1)
    >>> found.factors.tolist()
    [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]
    >>> print(*found.events)
    epoch 4: ReduceLROnPlateau 0.1 -> 0.05 (val_loss no better than 0.8 for 2 evaluations)
    """
    if not isinstance(callback, Controller):
        checks.refuse("callback", "a callback of keras_lr that follows a metric", callback)
    trace = Trace.of(metrics)
    values = trace.column(callback.monitor)
    if learning_rate is None and callback.uses_absolute_rates:
        raise ValueError(
            f"`learning_rate` must be given for a {type(callback).__name__} with absolute rates, "
            "to compare them with. Received: learning_rate=None"
        )
    rule, base = _fresh(callback), _base(learning_rate, trace.epochs, steps_per_epoch)
    states, events, stopped = [rule.start()], [], False
    for done, (epoch, value) in enumerate(zip(trace.epochs, values), start=1):
        before, rate = states[-1], _rate(states[-1], base[done])
        after = before if value is None else rule.decide(epoch, before, float(value), rate)
        if _rate(after, base[done]) != rate:
            reason = rule.explain(before, after, float(value))
            change = rate, _rate(after, base[done]), reason
            events.append(Event(epoch, None, type(callback).__name__, None, *change))
        states.append(after)
        stopped = value is not None and rule.stops(after, float(value))
        if stopped:
            break
    seen = slice(len(states) - 1)
    return Replay(
        type(callback).__name__,
        callback.monitor,
        trace.epochs[seen],
        _frozen([np.nan if value is None else value for value in values[seen]]),
        _frozen([state.factor for state in states]),
        _frozen([_rate(state, rate) for state, rate in zip(states, base)]),
        tuple(events),
        stopped,
    )


def _fresh(callback):
    """Returns a copy of a callback as at the beginning of a fit."""
    rule = copy.copy(callback)
    if isinstance(rule, ProgressController):
        rule.settle()
    return rule


def _rate(state, base):
    return float((base if state.rate is None else state.rate) * state.factor)


@dataclass(frozen=True, eq=False, repr=False)
class Replay:
    """What `replay` found.

    `values` has the metric of each of `epochs` (numbered from 0, as `fit` does; NaN where it was
    not measured). `factors[i]` and `learning_rates[i]` are those that epoch i would have been
    trained with, decided by the epochs before it; they have one entry more, the last, for the
    epoch that would follow. Rates are those of an epoch's first update. `events` tell when the
    rate changed, from what to what, and why. `stopped` tells that the callback would have ended
    the training; then the epochs are those until there.
    """

    callback: str
    monitor: str
    epochs: tuple
    values: np.ndarray
    factors: np.ndarray
    learning_rates: np.ndarray
    events: tuple
    stopped: bool

    def __repr__(self):
        head = f"{self.callback} on {len(self.epochs)} epochs of {self.monitor}"
        end = ", then a stop" if self.stopped else ""
        return "\n".join([f"{head}, changes: {len(self.events)}{end}", *map(str, self.events)])

    def plot(self, ax=None):
        """Draws the metric and the rates; returns the axes (needs the extra `plot`)."""
        return plot_replays([self], [self.callback], ax)


def _base(learning_rate, epochs, steps_per_epoch):
    """Returns the rate at the first update of each epoch and of the one that follows."""
    begins = np.arange(epochs[0], epochs[0] + len(epochs) + 1)
    if hasattr(learning_rate, "__len__") and checks.as_number(learning_rate) is None:
        rates = checks.sequence("learning_rate", learning_rate, checks.RATE)
        if len(rates) - len(epochs) not in (0, 1):
            required = f"one rate for each of the {len(epochs)} epochs (and the next)"
            checks.refuse("learning_rate", required, learning_rate)
        return np.array((*rates, rates[-1])[: len(begins)])
    steps = checks.COUNT("steps_per_epoch", steps_per_epoch)
    schedule = as_schedule("learning_rate", 1.0 if learning_rate is None else learning_rate)
    return schedule.resolve(int(begins[-1]), steps_per_epoch=steps).rates(begins * steps)


def _frozen(values):
    array = np.array(values, float)
    array.setflags(write=False)
    return array


def plot_what_if(
    callbacks, metrics, ax=None, *, learning_rate=None, steps_per_epoch=1, labels=None
):
    """Draws recorded metrics and the rates that each callback would have set; returns the axes.

    `callbacks` is one callback that follows a metric, or several; the other arguments are those of
    `replay`. Above: the metric at the end of each epoch, with a mark where it causes a change (for
    up to 4 callbacks, those with up to 20 changes). Below: a lane for each callback with its rate
    in each epoch, on one scale for all, logarithmic where rates are far apart. A lane's label is
    the arguments in which the callbacks differ, unless `labels` has another.

    The metrics are those of the run that was made. A change that it did not make would have led
    to others: the picture shows when a rule would first have acted, not what would have followed.

    >>> from keras_lr.callbacks import ReduceLROnPlateau, plot_what_if
    >>> from matplotlib.figure import Figure
    >>> losses = [1.0, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9, 0.7]
    >>> rules = [ReduceLROnPlateau(patience=n, factor=0.5) for n in (2, 5)]
    >>> ax = plot_what_if(rules, losses, Figure().subplots(), learning_rate=0.1)
    >>> print(*(title.get_text() for title in ax.texts if ":" in title.get_text()), sep="\\n")
    patience=2: 2 changes, rate 0.1 to 0.025
    patience=5: 1 change, rate 0.1 to 0.05
    """
    callbacks = list(callbacks) if hasattr(callbacks, "__iter__") else [callbacks]
    if not callbacks:
        checks.refuse("callbacks", "one callback or more", callbacks)
    trace = Trace.of(metrics)
    options = {"learning_rate": learning_rate, "steps_per_epoch": steps_per_epoch}
    replays = [replay(callback, trace, **options) for callback in callbacks]
    if labels is None:
        labels = _differences(callbacks)
    return plot_replays(replays, labels, ax)


def _differences(callbacks):
    """Returns a label for each callback: the arguments in which those of its class differ."""
    classes = {type(callback) for callback in callbacks}
    labels = []
    for callback in callbacks:
        alike = [other for other in callbacks if type(other) is type(callback)]
        names = [n for n in _arguments(callback) if len({repr(getattr(c, n)) for c in alike}) > 1]
        words = [f"{name}={getattr(callback, name)!r}" for name in names]
        if len(classes) > 1 or not words:
            words = [type(callback).__name__, *words]
        labels.append(shortened(" ".join(words)))
    return labels


def _arguments(callback):
    """Returns the names of the constructor's arguments that are attributes too."""
    owners = [owner for owner in type(callback).__mro__ if "__init__" in vars(owner)]
    names = [name for owner in owners for name in inspect.signature(owner.__init__).parameters]
    return [n for n in dict.fromkeys(names) if n not in _SILENT and hasattr(callback, n)]
