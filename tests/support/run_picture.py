"""Draws the README's picture: a run chosen, driven and explained.

Run `PYTHONPATH=tests python -m support.run_picture`.
"""

import pathlib

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_lr import callbacks, demo
from keras_lr.plotting.curves import outline

PICTURE = pathlib.Path(__file__).parents[2] / "notebooks" / "images" / "run.png"
# Inches; at 200 dots each the picture is twice as wide as a page shows it, for sharp screens.
_SIZE, _DPI = (9.0, 3.4), 200
_EPOCHS = 60
_OURS, _THEIRS, _CHANGE = "tab:blue", "0.6", "tab:red"


def trained(driver, recorder):
    """Returns the history of a run of the demo's classifier."""
    return demo.fit(demo.build_model(), demo.load_data(), _EPOCHS, [*driver, recorder])


def draw_choice(ax, found):
    """The sweep and what the short runs said: which rate."""
    ax.plot(found.learning_rates, found.smoothed, color=_OURS, linewidth=1.8)
    runs = [(rate, loss) for rate, loss in found.evidence if np.isfinite(loss)]
    if runs:
        ax.plot(*zip(*runs), "x", color="tab:orange", markeredgewidth=1.8)
        rate, loss = max(runs)
        point(ax, "short runs", (rate, loss), (0.3, 0.3))
    ax.axvline(found.suggestion, color="tab:orange", linewidth=1.8)
    ax.set(xscale="log", xlabel="learning rate tried", ylabel="loss")
    point(ax, f"chosen: {found.suggestion:.2g}", (found.suggestion, max(found.smoothed)), (0.3, 0.9))
    ax.set_title("Choose: before the first update", fontsize=10)


def draw_rates(ax, recorder):
    """The rate of every update, and what changed it."""
    ax.plot(*outline(recorder.updates, recorder.learning_rate), color=_OURS, linewidth=1.8)
    ax.set(xlabel="update", ylabel="rate that was applied")
    event = recorder.events[0]
    rate = recorder.learning_rate[list(recorder.updates).index(event.update)]
    text = "the validation loss stalls:\nback to the best state,\non at a tenth"
    point(ax, text, (event.update, rate), (0.62, 0.72))
    ax.set_title("Drive: every update, in the open", fontsize=10)


def draw_losses(ax, ours, theirs, events):
    """The validation losses of both runs."""
    epochs = np.arange(1, _EPOCHS + 1)
    ax.plot(epochs, theirs["val_loss"], color=_THEIRS, linewidth=1.8, label="SGD's default rate")
    ax.plot(epochs, ours["val_loss"], color=_OURS, linewidth=1.8, label="AutoLearningRate()")
    for event in events:
        ax.axvline(event.epoch + 1, color=_CHANGE, linewidth=1.0, linestyle=":")
    ax.set(xlabel="epoch", ylabel="validation loss", yscale="log")
    ax.legend(fontsize=8, frameon=False)
    ax.set_title("Explain: what it brought", fontsize=10)


def point(ax, text, target, place):
    """Writes text at a place (of a picture of height 1) with an arrow to its target in the data."""
    arrow = {"arrowstyle": "->", "color": "0.35"}
    where = {"textcoords": "axes fraction", "arrowprops": arrow, "ha": "center", "va": "center"}
    ax.annotate(text, target, place, fontsize=8, color="0.2", **where)


def main():
    auto = callbacks.AutoLearningRate(verbose=0)
    recorder, other = callbacks.LearningRateRecorder(), callbacks.LearningRateRecorder()
    ours, theirs = trained([auto], recorder), trained([], other)
    print(*recorder.events, sep="\n")
    print(f"{auto.found}\n{min(ours['val_loss']):.4f} {min(theirs['val_loss']):.4f}")
    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    chosen, driven, explained = figure.subplots(1, 3)
    draw_choice(chosen, auto.found)
    draw_rates(driven, recorder)
    draw_losses(explained, ours, theirs, recorder.events)
    for ax in (chosen, driven, explained):
        ax.grid(True, alpha=0.3)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
