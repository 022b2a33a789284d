"""The picture of a ranking: what each schedule's bound is, in parts of the best one."""

from keras_lr.plotting.axes import new_axes


def plot_ranking(ranking, ax=None):
    """Draws a `Ranking`, a bar per schedule, the best on top; returns the axes.

    Beside each bar is the best peak, in parts of that of the best schedule.

    >>> from keras_lr import rank
    >>> from matplotlib.figure import Figure
    >>> ax = plot_ranking(rank({"flat": [1.0, 1.0], "falls": [1.0, 0.5]}, 2), Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['flat', 'falls']
    """
    ax = new_axes() if ax is None else ax
    rows = ranking.rows
    places = range(len(rows))
    bars = ax.barh(places, [row.relative for row in rows])
    ax.bar_label(bars, [f"peak × {row.relative_peak:.2f}" for row in rows], padding=3)
    ax.set_yticks(places, [row.name for row in rows])
    ax.invert_yaxis()
    ax.set_xlabel("bound, in parts of the best")
    ax.margins(x=0.2)
    ax.grid(True, axis="x", alpha=0.3)
    return ax
