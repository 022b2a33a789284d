"""Pictures of replays: the rates that callbacks would have set on recorded metrics."""

import collections
import itertools

import numpy as np

from keras_lr import checks
from keras_lr.plotting.axes import new_axes

# In inches, of a new figure: the height of the metrics, and of each lane. The least and the
# greatest share of the axes that all lanes take.
_ABOVE, _LANE, _SHARES = 2.6, 0.55, (0.25, 0.65)
# Shares of a lane, from below: where its line lies, and its title.
_LINE, _TITLE = (0.06, 0.56), 0.68
# With more callbacks, or more changes by one, the marks cannot be told apart.
_MOST_MARKED, _MOST_CHANGES = 4, 20
_DASHES = ("-", "--", "-.", ":")


def plot_replays(replays, labels, ax=None):
    """Draws several results of `keras_lr.callbacks.replay`, each with a label; returns the axes."""
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


def _edges(replay):
    return np.arange(replay.epochs[0], replay.epochs[0] + len(replay.epochs) + 1)


def _draw_metrics(ax, replays, share):
    """Draws each followed metric in the part of the axes above `share`."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    # The longest replay of each metric: others may have ended with a stop.
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
    """Puts a mark above each value that caused a change, or several, one above the other."""
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
    """The place of a rate in a lane: 0 is the bottom, 1 the top, the same in every lane."""

    def __init__(self, rates):
        positive = rates[rates > 0]
        self.log = len(positive) > 0 and positive.max() > 5 * positive.min()
        self.high = rates.max()
        self.low = positive.min() if self.log else 0.0

    def __call__(self, rates):
        if self.log:
            # A rate of 0, which has no logarithm, lies at the bottom.
            rates, low, high = map(np.log, (np.maximum(rates, self.low), self.low, self.high))
        else:
            low, high = self.low, self.high or 1.0
        return (rates - low) / (high - low)


def _draw_lane(ax, replay, label, color, scale, lane):
    """Draws the rates of one replay; `lane` is its bottom and height as shares of the axes."""
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
    (first, last), count = replay.learning_rates[[0, -1]], len(replay.events)
    changes = "1 change" if count == 1 else f"{count} changes"
    end = ", then a stop" if replay.stopped else ""
    return f"{label}: {changes}, rate {first:.3g} to {last:.3g}{end}"
