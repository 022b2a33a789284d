"""Pictures of replays: the rates that other callbacks would have set on metrics once measured."""

import collections
import inspect
import itertools

import numpy as np

from keras_lr import checks
from keras_lr.plotting.axes import new_axes
from keras_lr.plotting.schedules import shortened
from keras_lr.traces import Trace

# Inches: the metrics' part of a new figure, and what each lane adds; in other axes their shares.
_ABOVE, _LANE, _SHARES = 2.6, 0.55, (0.25, 0.65)
# Shares of a lane: its line from below, and where its title is.
_LINE, _TITLE = (0.06, 0.56), 0.68
# The marks of more callbacks, or of more changes of one, cannot be told apart.
_MOST_MARKED, _MOST_CHANGES = 4, 20
_DASHES = ("-", "--", "-.", ":")
_SILENT = ("self", "verbose", "on_train_end")


def plot_what_if(
    callbacks, metrics, ax=None, *, learning_rate=None, steps_per_epoch=1, labels=None
):
    """Draws recorded metrics, and the rates that each callback would have set; returns the axes.

    `callbacks` are one or several that follow a metric; `metrics`, `learning_rate` and
    `steps_per_epoch` are those of `keras_lr.callbacks.replay`. Above: the metric at the end of
    each epoch, with a mark where it causes a change (of up to 4 callbacks, those with up to 20
    changes). Below, a lane for each callback: its rate in each epoch, on one scale for all,
    logarithmic where they are far apart. `labels` replace the arguments in which the callbacks
    differ.

    The metrics are those of the run that was made. After a change that it did not make, other
    ones would have been measured: the picture shows when a rule would have acted first, and not
    what would have come of it.

    >>> from keras_lr.callbacks import ReduceLROnPlateau
    >>> from keras_lr.plotting import plot_what_if
    >>> from matplotlib.figure import Figure
    >>> losses = [1.0, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9, 0.7]
    >>> rules = [ReduceLROnPlateau(patience=n, factor=0.5) for n in (2, 5)]
    >>> ax = plot_what_if(rules, losses, Figure().subplots(), learning_rate=0.1)
    >>> print(*(title.get_text() for title in ax.texts if ":" in title.get_text()), sep="\\n")
    patience=2: 2 changes, rate 0.1 to 0.025
    patience=5: 1 change, rate 0.1 to 0.05
    """
    from keras_lr.callbacks import replay

    callbacks = list(callbacks) if hasattr(callbacks, "__iter__") else [callbacks]
    if not callbacks:
        checks.refuse("callbacks", "one callback or more", callbacks)
    trace = Trace.of(metrics)
    options = {"learning_rate": learning_rate, "steps_per_epoch": steps_per_epoch}
    replays = [replay(callback, trace, **options) for callback in callbacks]
    if labels is None:
        labels = _differences(callbacks)
    return plot_replays(replays, labels, ax)


def plot_replays(replays, labels, ax=None):
    """Draws what `keras_lr.callbacks.replay` returned, one label for each; returns the axes."""
    labels = checks.sequence("labels", labels, checks.text)
    if len(labels) != len(replays):
        checks.refuse("labels", f"one for each of the {len(replays)} replays", list(labels))
    if ax is None:
        ax = new_axes()
        ax.figure.set_figheight(_ABOVE + _LANE * len(replays))
    share = np.clip(_LANE * len(replays) / (_ABOVE + _LANE * len(replays)), *_SHARES)
    _draw_metrics(ax, replays, share)
    if len(replays) <= _MOST_MARKED:
        _mark_changes(ax, replays)
    scale = _Scale(np.concatenate([replay.learning_rates for replay in replays]))
    for i, (replay, label) in enumerate(zip(replays, labels)):
        lane = share * (1 - (i + 1) / len(replays)), share / len(replays)
        _draw_lane(ax, replay, label, f"C{i % 10}", scale, lane)
    ax.set_xlabel("epochs trained")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.margins(x=0.01)
    ax.grid(True, axis="x", alpha=0.3)
    return ax


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


def _edges(replay):
    return np.arange(replay.epochs[0], replay.epochs[0] + len(replay.epochs) + 1)


def _draw_metrics(ax, replays, share):
    """Draws each metric that is followed in the part of the axes above `share`."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    # Of several replays of a metric the longest: others may have ended with a stop.
    curves = {replay.monitor: replay for replay in sorted(replays, key=lambda r: len(r.epochs))}
    for dashes, (name, replay) in zip(itertools.cycle(_DASHES), curves.items()):
        seen = np.isfinite(replay.values)
        style = {"color": "0.35", "linestyle": dashes, "marker": ".", "label": name}
        ax.plot(_edges(replay)[1:][seen], replay.values[seen], **style)
    values = np.concatenate([replay.values for replay in curves.values()])
    values = values[np.isfinite(values)] if np.isfinite(values).any() else np.zeros(1)
    low, high = values.min(), values.max()
    room = 0.08 * (high - low) or abs(high) or 1.0
    bottom, top = low - room, high + room
    ax.set_ylim(top - (top - bottom) / (1 - share), top)
    ticks = MaxNLocator(5).tick_values(low, high)
    ax.yaxis.set_major_locator(FixedLocator(ticks[(ticks >= bottom) & (ticks <= top)]))
    ax.set_ylabel(" and ".join(curves), loc="top")
    if len(curves) > 1:
        ax.legend(fontsize="small", loc="upper right")
    ax.axhline(bottom, color="0.8", linewidth=0.8)


def _mark_changes(ax, replays):
    """Puts a mark above the value that caused a change, those at the same epoch in a pile."""
    from matplotlib.transforms import ScaledTranslation

    piles = collections.Counter()
    for i, replay in enumerate(replays):
        for event in replay.events if len(replay.events) <= _MOST_CHANGES else ():
            value = replay.values[event.epoch - replay.epochs[0]]
            place = event.epoch + 1, value
            piles[place] += 1
            lift = ScaledTranslation(0, 7 * piles[place] / 72, ax.figure.dpi_scale_trans)
            style = {"marker": "v" if event.after < event.before else "^", "markersize": 5}
            ax.plot(*place, color=f"C{i % 10}", transform=ax.transData + lift, **style)


class _Scale:
    """Where rates are between the bottom, 0, and the top, 1, of every lane."""

    def __init__(self, rates):
        positive = rates[rates > 0]
        self.log = len(positive) > 0 and positive.max() > 5 * positive.min()
        self.high = rates.max()
        self.low = positive.min() if self.log else 0.0

    def __call__(self, rates):
        if self.log:
            # A rate of 0 has no logarithm: it lies at the bottom.
            rates, low, high = np.log(np.maximum(rates, self.low)), *np.log((self.low, self.high))
        else:
            low, high = self.low, self.high or 1.0
        return (rates - low) / (high - low)


def _draw_lane(ax, replay, label, color, scale, lane):
    """Draws the rates of one replay, from a height of the axes on, both in shares of them."""
    bottom, height = lane
    low, high = (bottom + height * share for share in _LINE)
    edges, heights = _edges(replay), low + scale(replay.learning_rates) * (high - low)
    style = {"color": color, "transform": ax.get_xaxis_transform()}
    ax.fill_between(edges, low, heights, step="post", alpha=0.15, linewidth=0, **style)
    ax.plot(edges, heights, drawstyle="steps-post", label=f"_{label}", **style)
    if len(replay.events) <= _MOST_CHANGES:
        changed = [event.epoch + 1 - replay.epochs[0] for event in replay.events]
        ax.plot(edges[changed], heights[changed], ".", **style)
    small = {"transform": ax.transAxes, "fontsize": "x-small", "color": "0.2"}
    for share, rate in zip((low, high), (scale.low, scale.high)):
        ax.text(-0.01, share, f"{rate:.2g}", ha="right", va="center", **small)
    ax.text(0.01, bottom + height * _TITLE, _title(replay, label), **small)


def _title(replay, label):
    count, first, last = len(replay.events), *replay.learning_rates[[0, -1]]
    changes = "1 change" if count == 1 else f"{count} changes"
    end = ", then a stop" if replay.stopped else ""
    return f"{label}: {changes}, rate {first:.3g} to {last:.3g}{end}"
