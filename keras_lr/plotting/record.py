"""Pictures of a run that was recorded: the applied rates, who changed them, and the losses."""

from keras_lr.plotting.axes import dress, new_axes
from keras_lr.plotting.curves import outline


def plot_record(recorder, ax=None, *, planned=None, losses=True):
    """Draws the applied rate of every update, with the changes marked; returns the axes.

    `recorder` is a `LearningRateRecorder` after `fit`; `planned`, a schedule over the updates of
    that fit, is drawn dashed beside it; `losses` puts the epochs' losses on a second rate axis.

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
    updates = recorder.updates
    if len(updates) == 0:
        raise ValueError(f"`recorder` must have recorded a fit. Received: recorder={recorder!r}")
    ax = new_axes() if ax is None else ax
    if planned is not None:
        plan = planned.rates(updates - updates[0])
        ax.plot(*outline(updates, plan), "--", color="0.6", label="planned")
    for name, rates in recorder.learning_rates.items():
        label = "applied" if len(recorder.learning_rates) == 1 else f"applied, {name}"
        ax.plot(*outline(updates, rates), label=label)
    mark_events(recorder, ax)
    dress(ax)
    if not losses:
        ax.legend(fontsize="small")
        return ax
    _add_losses(ax, recorder)
    # Above the axes: inside, the lines of the second axis would run through it.
    ax.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax


def mark_events(recorder, ax):
    """Draws a vertical line where a callback changed the rate, one legend entry per callback."""
    named = set()
    for event in recorder.events:
        label = None if event.callback in named else f"change by {event.callback}"
        ax.axvline(event.update, color="tab:red", linestyle=":", linewidth=1.2, label=label)
        named.add(event.callback)
    return ax


def plot_losses(recorder, ax=None):
    """Draws the losses at the end of each epoch over the updates; returns the axes."""
    ax = new_axes() if ax is None else ax
    ends = [row["update"] for row in recorder.epoch_logs]
    for key, label in (("loss", "training loss"), ("val_loss", "validation loss")):
        if recorder.epoch_logs and all(key in row for row in recorder.epoch_logs):
            ax.plot(ends, [row[key] for row in recorder.epoch_logs], label=label)
    ax.set(xlabel="update", ylabel="loss")
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
