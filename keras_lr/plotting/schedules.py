"""Pictures of schedules: their rates over the updates of a run, and where something begins."""

import numpy as np

from keras_lr import checks
from keras_lr.plotting import curves
from keras_lr.plotting.axes import add_epochs, dress, new_axes

_LONGEST_LABEL = 60
# Shapes that differ at a glance and look equally heavy, in the order of the legend.
_SHAPES = {
    "warmup end": {"marker": "^", "s": 48},
    "restart": {"marker": "o", "s": 34},
    "boundary": {"marker": "D", "s": 26},
}
_ON_A_LINE = {"edgecolors": "white", "linewidths": 0.8, "zorder": 3}
# The most entries of a legend inside the axes, and sizes in points of one outside.
_MOST_INSIDE = 4
_CHARACTER, _HANDLE, _LABELS_BELOW = 4.7, 42, 34


def plot_schedules(
    schedules, total_steps=None, *, ax=None, epochs=None, log=False, labels=None, marks=True
):
    """Draws the rates of one or several schedules over the updates of a run; returns the axes.

    The rate of update t is drawn at t, and a jump as a vertical line. Of more than 10,000 updates,
    that many evenly spaced ones are drawn. `total_steps` is by default the length of the longest
    schedule and a tenth more. `epochs`, the number of epochs of the run, adds a second axis in
    epochs; the run then ends by default with the longest schedule. The two also resolve durations
    such as "5%". `log` makes the rate axis logarithmic. `labels` replace the schedules' reprs in
    the legend. `marks` shows on each curve where a warmup has ended, a cycle restarts or another
    piece begins, unless that happens more than 20 times or the run is longer than a million
    updates. Needs matplotlib, the extra `plot`.

    >>> from keras_lr import plot_schedules
    >>> from keras_lr.schedules import LinearDecay, StepDecay
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> ax = plot_schedules([LinearDecay(0.1, 90), StepDecay(0.1, 30, 0.5)], ax=ax, epochs=9)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('update', 'learning rate')
    """
    schedules = [schedules] if callable(schedules) else schedules
    schedules = checks.sequence("schedules", schedules, _schedule)
    labels = _labels(schedules, labels)
    schedules, total_steps = curves.run_of(schedules, total_steps, epochs)
    steps = curves.updates(total_steps)
    rates = [schedule.rates(steps) for schedule in schedules]
    if log:
        curves.refuse_on_log_axis(rates)
    marked = checks.flag("marks", marks)
    marks = [curves.marks_of(s, total_steps) if marked else {} for s in schedules]

    # Nothing is refused below: an error above leaves no empty figure.
    title = labels[0] if ax is None and len(labels) == 1 else None
    ax = new_axes() if ax is None else ax
    lines = [ax.plot(*curves.outline(steps, r), label=s)[0] for r, s in zip(rates, labels)]
    for line, schedule, begun in zip(lines, schedules, marks):
        _mark(ax, line, schedule, begun, log)
    dress(ax, log)
    _add_legend(ax, {kind for begun in marks for kind in begun})
    if title:
        ax.set_title(title, fontsize="medium")
    if epochs is not None:
        add_epochs(ax, total_steps / epochs)
    return ax


def _schedule(name, value):
    if not hasattr(value, "rates"):
        checks.refuse(name, "one of keras_lr (`keras_lr.plot_schedules` takes others too)", value)
    return value


def _labels(schedules, labels):
    if labels is None:
        return [shortened(repr(schedule)) for schedule in schedules]
    labels = checks.sequence("labels", labels, checks.text)
    if len(labels) != len(schedules):
        checks.refuse("labels", f"one for each of the {len(schedules)} schedules", list(labels))
    return labels


def shortened(text):
    """Returns a label in at most 60 characters."""
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _mark(ax, line, schedule, begun, log):
    for kind, updates in begun.items():
        rates = schedule.rates(updates)
        # A logarithmic axis has no place for a marker at rate 0.
        seen = (rates > 0) | (not log)
        points = np.array(updates)[seen], rates[seen]
        ax.scatter(*points, facecolors=line.get_color(), **_SHAPES[kind], **_ON_A_LINE)


def _add_legend(ax, kinds):
    """Adds one legend of curves and shapes, unless there is only one curve and no shape."""
    named = ax.get_legend_handles_labels()[1]
    for kind, shape in _SHAPES.items():
        if kind in kinds and kind not in named:
            # A grey entry without points: a shape means the same on every curve.
            ax.scatter([], [], facecolors="0.45", label=kind, **shape, **_ON_A_LINE)
    lines = ax.get_lines()
    handles, _ = ax.get_legend_handles_labels()
    if len(lines) == 1:
        # The title names a single curve.
        handles = [handle for handle in handles if handle not in lines]
    if handles:
        ax.legend(handles=handles, fontsize="small", **_legend_place(ax, handles))


def _legend_place(ax, handles):
    """Returns the place of a legend: below the axes if it is long and the layout makes room."""
    if len(handles) <= _MOST_INSIDE or ax.figure.get_layout_engine() is None:
        return {}
    from matplotlib.transforms import ScaledTranslation

    points = 72 * ax.figure.bbox.width / ax.figure.dpi
    widths = [_CHARACTER * len(handle.get_label()) + _HANDLE for handle in handles]
    half = (len(widths) + 1) // 2
    fits = max(widths[:half]) + max(widths[half:]) < points
    below = ScaledTranslation(0, -_LABELS_BELOW / 72, ax.figure.dpi_scale_trans)
    return {
        "loc": "upper center",
        "bbox_to_anchor": (0.5, 0),
        "bbox_transform": ax.transAxes + below,
        "ncols": 2 if fits else 1,
        "frameon": False,
    }
