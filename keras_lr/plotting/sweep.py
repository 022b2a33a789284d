"""The picture of a range test: the loss over the rates, and the suggestions."""

import numpy as np

from keras_lr.plotting.axes import new_axes

# The rules in the order of the legend, each with its own dashes, to be seen without colours.
_RULES = {
    "minimum": ("tab:red", (0, (6, 2))),
    "valley": ("tab:green", (0, (4, 2, 1, 2))),
    "steepest": ("tab:purple", (0, (2, 2))),
    "slide": ("tab:brown", (0, (1, 1.5))),
}
_CHOSEN = "tab:orange"
_CURVE = "tab:blue"


def plot_sweep(result, ax=None):
    """Draws a `RangeTest`; returns the axes.

    Pale: the loss of each update, in every repeat. Bold: their running mean. Vertical lines: the
    suggestion, and that of each rule. Shaded: the interval. Crosses: the losses that judged the
    short runs. Losses far above the first ones are cut off.

    >>> import numpy as np
    >>> from keras_lr.finder import RangeTest
    >>> from keras_lr.finder.curve import Curve
    >>> from matplotlib.figure import Figure
    >>> rates = np.geomspace(1e-4, 1.0, 40)
    >>> losses = 2.0 - 0.1 * np.log(rates / 1e-4) + (rates > 0.5) * 9.0
    >>> curve = Curve(rates, losses, head=4, cut_short=True)
    >>> ax = plot_sweep(RangeTest.of(curve, [curve]), Figure().subplots())
    >>> ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()
    ('learning rate', 'loss', 'log')
    """
    ax = new_axes() if ax is None else ax
    ax.set_xscale("log")
    for i, curve in enumerate(result.repeats):
        style = {"color": _CURVE, "alpha": 0.35, "linewidth": 0.9}
        ax.plot(curve.rates, curve.losses, label=None if i else "loss of each update", **style)
    rates, smoothed = result.learning_rates, result.smoothed
    ax.plot(rates, smoothed, color=_CURVE, linewidth=2.2, label="running mean")
    if result.interval is not None:
        low, high = result.interval
        label = f"interval {low:.2g} to {high:.2g}"
        ax.axvspan(low, high, color=_CHOSEN, alpha=0.18, linewidth=0, label=label)
    for name, (color, dashes) in _RULES.items():
        rate = result.suggestions.get(name)
        if rate is not None:
            style = {"color": color, "linestyle": dashes, "linewidth": 1.1}
            ax.axvline(rate, label=f"{name} {rate:.2g}", **style)
    runs = [(rate, score) for rate, score in result.evidence if np.isfinite(score)]
    if runs:
        style = {"color": _CHOSEN, "marker": "x", "linestyle": "none", "markeredgewidth": 2.0}
        ax.plot(*zip(*runs), label="at the end of short runs", **style)
    if result.suggestion is not None:
        _mark_suggestion(ax, result)
    ax.set(xlabel="learning rate", ylabel="loss")
    ax.set_title(_title(result), fontsize="medium")
    ax.grid(True, alpha=0.3)
    ax.margins(x=0.01)
    if len(smoothed):
        ax.set_ylim(*_limits(result))
    ax.legend(fontsize="small", loc="best")
    return ax


def _mark_suggestion(ax, result):
    rate, label = result.suggestion, f"suggestion {result.suggestion:.2g}"
    if result.total_steps is not None:
        label += f", for {result.total_steps:,} updates"
    ax.axvline(rate, color=_CHOSEN, linewidth=2.0, label=label)
    height = np.interp(np.log(rate), np.log(result.learning_rates), result.smoothed)
    style = {"facecolors": _CHOSEN, "edgecolors": "white", "linewidths": 1.0, "zorder": 4}
    ax.scatter([rate], [height], s=64, **style)


def _title(result):
    if result.suggestion is None:
        return f"range test: {result.status}, no suggestion"
    return f"range test: {result.status}"


def _limits(result):
    """Returns the ends of the axis of losses, without the highest ones after the divergence."""
    first = [curve.losses[: curve.head] for curve in result.repeats]
    first = np.concatenate(first) if first else result.losses[:1]
    low = min(float(np.min(result.smoothed)), *(float(np.min(c.losses)) for c in result.repeats))
    # A lucky update after the divergence may have a loss far below: there is room for it.
    high = float(np.max(first))
    room = (high - low) or abs(high) or 1.0
    return low - 0.08 * room, high + 0.65 * room
