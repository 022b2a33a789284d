"""Pictures: each function takes data and, if you like, axes, and returns the axes it drew on.

None shows a figure or changes a setting of matplotlib; with `ax=None` a new pyplot figure holds
the picture, as in pandas, so that notebooks display it and `ax.figure.savefig(...)` writes it.
"""

import math

import numpy as np

from keras_lr import checks
from keras_lr.schedules.function import as_schedule

_MOST_POINTS = 10_000
_LONGEST_LABEL = 60


def plot_schedules(schedules, total_steps=None, *, ax=None, epochs=None, log=False, labels=None):
    """Draws the rates of one or several schedules over the updates of a run; returns the axes.

    `total_steps` is by default a tenth more than the longest schedule's length. `epochs`, the
    number of epochs of the run, adds a second axis in epochs, and the run then ends by default
    with the longest schedule. Durations such as "5%" are resolved with the two. The rate of
    update t is drawn at t, a jump as a vertical line; of more than 10,000 updates, that many
    evenly spaced ones are drawn. `labels` replace the schedules' reprs in the legend, and `log`
    makes the rate axis logarithmic.

    >>> from keras_lr.plotting import plot_schedules
    >>> from keras_lr.schedules import LinearDecay, StepDecay
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> ax = plot_schedules([LinearDecay(0.1, 90), StepDecay(0.1, 30, 0.5)], ax=ax, epochs=9)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('update', 'learning rate')
    """
    schedules = [schedules] if callable(schedules) else schedules
    schedules = checks.sequence("schedules", schedules, as_schedule)
    labels = _labels(schedules, labels)
    if epochs is not None:
        checks.POSITIVE("epochs", epochs)
    if total_steps is not None:
        total_steps = checks.Number(minimum=1, integer=True)("total_steps", total_steps)
    schedules = [s.resolve(epochs, total_steps=total_steps) for s in schedules]
    if total_steps is None:
        total_steps = _longest(schedules, margin=0 if epochs else 0.1)
    steps = _updates(total_steps)
    curves = [schedule.rates(steps) for schedule in schedules]
    if log:
        _require_positive(curves)

    # From here on nothing is refused: a mistake above leaves no empty figure behind.
    title = labels[0] if ax is None and len(labels) == 1 else None
    ax = _new_axes() if ax is None else ax
    for rates, label in zip(curves, labels):
        ax.plot(*_outline(steps, rates), label=label)
    _dress(ax, log, title)
    if epochs is not None:
        _add_epochs(ax, total_steps / epochs)
    return ax


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
    ax = _new_axes() if ax is None else ax
    if planned is not None:
        plan = planned.rates(updates - updates[0])
        ax.plot(*_outline(updates, plan), "--", color="0.6", label="planned")
    for name, rates in recorder.learning_rates.items():
        label = "applied" if len(recorder.learning_rates) == 1 else f"applied, {name}"
        ax.plot(*_outline(updates, rates), label=label)
    mark_events(recorder, ax)
    _dress(ax, log=False, title=None)
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
    ax = _new_axes() if ax is None else ax
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


# What is drawn


def _labels(schedules, labels):
    if labels is None:
        return [_shortened(repr(schedule)) for schedule in schedules]
    labels = checks.sequence("labels", labels, checks.text)
    if len(labels) != len(schedules):
        checks.refuse("labels", f"one for each of the {len(schedules)} schedules", list(labels))
    return labels


def _shortened(text):
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _longest(schedules, margin):
    length = max((schedule.length or 0 for schedule in schedules), default=0)
    if not length:
        raise ValueError(
            "`total_steps` must be given, because none of the schedules has an end. "
            f"Received: total_steps=None with schedules={list(schedules)!r}"
        )
    # Rounded first: 100 * 1.1 is a little more than 110.
    return math.ceil(round(length * (1 + margin), 6))


def _updates(total_steps):
    # The end is included: there the end value is reached, and the last tread of a stair ends.
    points = min(total_steps, _MOST_POINTS) + 1
    return np.linspace(0, total_steps, points).round()


def _require_positive(curves):
    lowest, highest = min(map(np.min, curves)), max(map(np.max, curves))
    if lowest < 0 or highest <= 0:
        checks.refuse("log", "False where rates are negative or all zero", True)


def _outline(steps, rates):
    """Returns the points of a line through all rates that is vertical where they jump.

    A jump is a change several times larger than the ones on either side: joining its ends would
    draw rates between them that no update gets. A gentle change is joined, so that a short
    linear decay does not look like a staircase.
    """
    change = np.abs(np.diff(rates))
    padded = np.concatenate([[0.0], change, [0.0]])
    beside = np.maximum(padded[:-2], padded[2:])
    noise = 1e-9 * np.maximum(np.abs(rates[:-1]), np.abs(rates[1:]))
    jumps = np.flatnonzero(change > np.maximum(4.0 * beside, noise)) + 1
    if len(rates) - 1 in jumps:
        jumps, rates = jumps[:-1], np.append(rates[:-1], rates[-2])
    return np.insert(steps, jumps, steps[jumps]), np.insert(rates, jumps, rates[jumps - 1])


# How it is drawn


def _new_axes():
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Drawing needs matplotlib, which is not installed: pip install 'keras_lr[plot]'"
        ) from error
    figure, ax = plt.subplots(layout="constrained")
    ax.xaxis.get_major_locator().set_params(integer=True)
    return ax


def _dress(ax, log, title):
    ax.set(xlabel="update", ylabel="learning rate")
    ax.margins(x=0.01)
    ax.grid(True, alpha=0.3)
    if log:
        ax.set_yscale("log")
    else:
        # 0 belongs in the picture: an axis that starts elsewhere makes any decay look deep.
        ax.update_datalim([(0.0, 0.0)])
        ax.autoscale_view()
    if title:
        ax.set_title(title, fontsize="medium")
    if len(ax.get_lines()) > 1:
        ax.legend(fontsize="small")


def _add_epochs(ax, steps_per_epoch):
    top = ax.secondary_xaxis(
        "top", functions=(lambda t: t / steps_per_epoch, lambda e: e * steps_per_epoch)
    )
    top.set_xlabel("epoch")
    top.xaxis.get_major_locator().set_params(integer=True)
