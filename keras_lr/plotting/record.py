"""Pictures of a recorded run: the applied rates, who changed them, and the losses."""

import numpy as np

from keras_lr import checks
from keras_lr.plotting.axes import dress, new_axes
from keras_lr.plotting.curves import outline

# One per callback; the dashes distinguish them without colours.
_EVENTS = (("tab:red", ":"), ("tab:purple", "-."), ("tab:brown", "--"), ("tab:green", ":"))
# More lines than that would hide the curves: they become ticks at the upper edge.
_MOST_LINES = 12
_TICK = 0.04


def plot_record(recorder, ax=None, *, planned=None, losses=True):
    """Draws the applied rate of every update, and marks the changes; returns the axes.

    `recorder` is a `LearningRateRecorder` after `fit`. `planned`, a schedule over the updates of
    that fit, is drawn dashed. `losses` adds the epochs' losses, on an axis of their own.

    >>> import keras, numpy as np
    >>> from keras_lr.callbacks import LearningRateRecorder
    >>> from keras_lr.plotting import plot_record
    >>> from matplotlib.figure import Figure
    >>> model, recorder = keras.Sequential([keras.layers.Dense(1)]), LearningRateRecorder()
    >>> model.compile("sgd", "mse")
    >>> x, y = np.ones((8, 2)), np.ones((8, 1))
    >>> _ = model.fit(x, y, epochs=3, callbacks=[recorder], verbose=0)
    >>> ax = plot_record(recorder, Figure().subplots())
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('update', 'learning rate')
    """
    if not hasattr(recorder, "updates"):
        checks.refuse("recorder", "a LearningRateRecorder", recorder)
    updates = recorder.updates
    if len(updates) == 0:
        raise ValueError(f"`recorder` must have recorded a fit. Received: recorder={recorder!r}")
    ax = new_axes() if ax is None else ax
    x, xlabel = _axis(recorder)
    if planned is not None:
        plan = planned.rates(updates - updates[0])
        ax.plot(*outline(x, plan), "--", color="0.6", label="planned")
    for name, rates in recorder.learning_rates.items():
        label = "applied" if len(recorder.learning_rates) == 1 else f"applied, {name}"
        # A line through the updates of this one; what is not known is a gap.
        made = ~np.isnan(rates) if len(recorder.learning_rates) > 1 else slice(None)
        ax.plot(*outline(x[made], rates[made]), label=label)
    mark_events(recorder, ax)
    _shade_undone(recorder, ax)
    dress(ax)
    ax.set_xlabel(xlabel)
    if not losses:
        ax.legend(fontsize="small")
        return ax
    _add_losses(ax, recorder)
    # Above the axes: inside them, the lines of the second axis would cross it.
    ax.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax


def _axis(recorder):
    """Returns the place of each update, and the label of the axis."""
    updates = recorder.updates
    if not recorder.undone.any():
        return updates, "update"
    # Numbers of updates that were undone occur again: they are drawn in the order they were made.
    return updates[:1] + np.arange(len(updates)), "updates made"


def _after(x, lengths):
    """Returns the place of the next update after the first `lengths` of those at `x`."""
    return np.append(x, x[-1:] + 1)[lengths]


def mark_events(recorder, ax):
    """Marks the changes by each callback with lines, or with ticks if there are many."""
    x, _ = _axis(recorder)
    changes = {}
    for event, position in zip(recorder.events, recorder.event_positions):
        # With several optimizers a change is several events.
        changes.setdefault(event.callback, set()).add(_after(x, position))
    for i, (callback, places) in enumerate(changes.items()):
        color, dashes = _EVENTS[i % len(_EVENTS)]
        if len(places) > _MOST_LINES:
            label, heights = (
                f"{len(places)} changes by {callback}",
                1 - _TICK * np.array([i + 1, i]),
            )
            style = {"transform": ax.get_xaxis_transform(), "color": color, "linewidth": 1.2}
            ax.vlines(sorted(places), *heights, label=label, **style)
            continue
        for nth, place in enumerate(sorted(places)):
            label = None if nth else f"change by {callback}"
            ax.axvline(place, color=color, linestyle=dashes, linewidth=1.2, label=label)
    return ax


def _shade_undone(recorder, ax):
    """Shades the updates that were undone."""
    x, _ = _axis(recorder)
    edges = np.flatnonzero(np.diff(recorder.undone, prepend=False, append=False))
    for i, (begin, end) in enumerate(zip(edges[::2], edges[1::2])):
        label = None if i else "undone"
        ax.axvspan(x[begin], _after(x, end), color="0.5", alpha=0.2, linewidth=0, label=label)


def plot_losses(recorder, ax=None):
    """Draws the losses at the end of each epoch over the updates; returns the axes."""
    ax = new_axes() if ax is None else ax
    x, xlabel = _axis(recorder)
    ends = _after(x, recorder.epoch_ends) - 1
    for key, label in (("loss", "training loss"), ("val_loss", "validation loss")):
        # With `validation_freq` some epochs have no validation loss.
        points = [(end, row[key]) for end, row in zip(ends, recorder.epoch_logs) if key in row]
        if points:
            ax.plot(*zip(*points), label=label)
    ax.set(xlabel=xlabel, ylabel="loss")
    ax.margins(x=0.01)
    ax.grid(True, alpha=0.3)
    return ax


def _add_losses(ax, recorder):
    right = plot_losses(recorder, ax.twinx())
    right.grid(False)
    for line, color in zip(right.get_lines(), ("0.3", "0.6")):
        line.set(color=color, linewidth=1.0)
        # One legend for both axes.
        ax.plot([], [], color=color, linewidth=1.0, label=line.get_label())
