"""The picture of a diagnosis: the losses of the run, with what was seen where it was seen."""

import numpy as np

from keras_lr.plotting.axes import new_axes

_COLORS = {"error": "tab:red", "warning": "tab:orange", "note": "tab:green"}
_MOST_POINTS = 10_000
# Pieces of evidence that are places in the run, by how their names begin or end.
_PLACES = ("from", "to", "epoch", "update")


def plot_diagnosis(diagnosis, ax=None):
    """Draws the losses and the rate of a `Diagnosis`, and each finding; returns the axes.

    A finding with a place in the run has a line there, or a band from one place to another.

    >>> from keras_lr import diagnose
    >>> from matplotlib.figure import Figure
    >>> ax = plot_diagnosis(diagnose({"loss": [2.0, 1.0, float("nan")]}), Figure().subplots())
    >>> ax.get_xlabel(), "nan" in [text.get_text() for text in ax.get_legend().get_texts()]
    ('epoch', True)
    """
    ax = new_axes() if ax is None else ax
    curves = diagnosis.curves
    shown = np.unique(np.linspace(0, len(curves.loss) - 1, _MOST_POINTS).astype(int))
    losses = ("training loss", curves.loss, "tab:blue"), ("validation loss", curves.val_loss, "0.4")
    for label, values, color in losses:
        if values is not None:
            known = shown[np.isfinite(values[shown])]
            style = "o-" if len(known) < 3 else "-"
            ax.plot(known + 1, values[known], style, color=color, label=label, linewidth=1.5)
    if curves.initial is not None and np.isfinite(curves.initial):
        ax.plot([0], [curves.initial], "D", color="tab:blue", label="loss before training")
    for finding in diagnosis.findings:
        _mark(ax, finding)
    ax.set(xlabel=curves.unit, ylabel="loss", title=_title(diagnosis))
    if _spans_decades(curves):
        ax.set_yscale("log")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.margins(x=0.01)
    ax.grid(True, alpha=0.3)
    if curves.rate is not None:
        _add_rate(ax, curves.rate, shown)
    ax.legend(fontsize="small")
    return ax


def _title(diagnosis):
    if diagnosis.perhaps is not None:
        return f"learning rate: {diagnosis.verdict}, perhaps {diagnosis.perhaps}"
    sure = diagnosis.probabilities.get(diagnosis.verdict)
    return f"learning rate: {diagnosis.verdict}" + ("" if sure is None else f" ({sure:.0%})")


def _mark(ax, finding):
    """Draws where a finding was seen; one without a place has its name in the legend only."""
    color = _COLORS[finding.severity]
    places = [v for name, v in finding.evidence.items() if _is_place(name) and v is not None]
    if len(places) == 2:
        ax.axvspan(*places, color=color, alpha=0.15, linewidth=0, label=finding.name)
    elif places:
        ax.axvline(places[0], color=color, linestyle="--", linewidth=1.2, label=finding.name)
    else:
        ax.plot([], [], "s", color=color, alpha=0.6, label=finding.name)


def _is_place(name):
    return name in _PLACES or name.endswith((" epoch", " update"))


def _spans_decades(curves):
    """Tells whether losses above 0 are so far apart that small ones would not be seen."""
    finite = curves.loss[np.isfinite(curves.loss)]
    return len(finite) > 1 and np.min(finite) > 0 and np.max(finite) > 30 * np.min(finite)


def _add_rate(ax, rates, shown):
    right = ax.twinx()
    right.plot(shown + 1, rates[shown], color="tab:purple", linewidth=1.0, alpha=0.7)
    right.set_ylabel("learning rate", color="tab:purple")
    right.set_ylim(bottom=0)
    # The legend, which is of the losses' axes, stands before the rate.
    ax.set_zorder(right.get_zorder() + 1)
    ax.patch.set_visible(False)
    ax.plot([], [], color="tab:purple", linewidth=1.0, alpha=0.7, label="learning rate")
