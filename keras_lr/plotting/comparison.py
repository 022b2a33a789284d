"""The picture of a comparison: how each rate was chosen, and what came of it."""

import math

import numpy as np

from keras_lr.plotting.axes import new_axes

_LINE = {"marker": "o", "markersize": 3.5, "linewidth": 1.2, "capsize": 2}


def plot_comparison(comparison, ax=None):
    """Draws what `compare` returned; returns the axes.

    On one axes, the default, are the results: a row per contender, the best on top, with the mean
    of the test metric, its standard error, and pale the result of each seed. On two, given as a
    pair, are on the first the means of the validation metric over the rates, where the chosen one
    is marked, and on the second the results.

    >>> from matplotlib.figure import Figure
    >>> from keras_lr.comparison import Comparison, Contestant
    >>> rows = [Contestant("linear", 0.1, True, (), (0.5, 0.7), 0.6, 0.1, 0, 0)]
    >>> found = Comparison("loss", False, 2, 100, tuple(rows), (), ())
    >>> ax = plot_comparison(found, Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['linear, 0.1']
    """
    if ax is not None and not hasattr(ax, "plot"):
        choice, results = np.ravel(ax)
        _draw_choice(comparison, choice)
        _draw_results(comparison, results)
        return ax
    ax = new_axes() if ax is None else ax
    _draw_results(comparison, ax)
    return ax


def _draw_choice(comparison, ax):
    highest = -math.inf
    for i, row in enumerate(comparison.contestants):
        points = [point for point in row.curve if math.isfinite(point.mean)]
        if not points:
            continue
        rates, means, errors = zip(*((p.rate, p.mean, p.error) for p in points))
        ax.errorbar(rates, means, np.nan_to_num(errors), color=f"C{i}", label=row.name, **_LINE)
        chosen = next(point for point in row.curve if point.rate == row.rate)
        if math.isfinite(chosen.mean):
            ax.plot([row.rate], [chosen.mean], "D", color=f"C{i}", markersize=9)
        sign = -1 if comparison.higher_is_better else 1
        highest = max(highest, sign * means[0], sign * np.median(means))
    tried = sorted({point.rate for row in comparison.contestants for point in row.curve})
    ax.set(xscale="log", xlabel="highest rate", ylabel=f"validation {comparison.metric}")
    ax.set_title("chosen rates ◆: mean ± standard error", fontsize="medium")
    # Of a few octaves matplotlib would label every number, one over the other.
    shown = tried[:: 1 + len(tried) // 6]
    ax.set_xticks(shown, [f"{rate:.2g}" for rate in shown])
    ax.set_xticks([], minor=True)
    _cut_off(comparison, ax, highest)
    ax.grid(True, alpha=0.3)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize="small")


def _cut_off(comparison, ax, highest):
    """Leaves out what is far worse than most: rates at which training nearly breaks."""
    sign = -1 if comparison.higher_is_better else 1
    means = [sign * p.mean for row in comparison.contestants for p in row.curve]
    means = [mean for mean in means if math.isfinite(mean)]
    if not means:
        return
    low, room = min(means), max(highest - min(means), 1e-12)
    ends = (low - 0.1 * room, min(max(means), low + 1.5 * room) + 0.1 * room)
    ax.set_ylim(sorted(sign * end for end in ends))


def _draw_results(comparison, ax):
    rows = comparison.contestants
    for i, row in enumerate(rows):
        values = [value for value in row.values if math.isfinite(value)]
        style = {"color": f"C{i}", "markersize": 5}
        ax.plot(values, [i] * len(values), "o", alpha=0.3, markeredgewidth=0, **style)
        if math.isfinite(row.mean):
            ax.errorbar(
                [row.mean], [i], xerr=np.nan_to_num([row.error]), fmt="D", capsize=4, **style
            )
        else:
            ax.text(
                0.98, i, "diverged", transform=ax.get_yaxis_transform(), ha="right", va="center"
            )
    ax.set_yticks(range(len(rows)), [_label(row) for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel(f"test {comparison.metric}")
    title = f"mean ± standard error of {comparison.seeds} seeds"
    ax.set_title(title, fontsize="medium")
    ax.grid(True, axis="x", alpha=0.3)


def _label(row):
    return row.name if row.rate is None else f"{row.name}, {row.rate:.3g}"
