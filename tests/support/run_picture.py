"""Draws the README's picture: a run chosen, driven and explained.

Run `PYTHONPATH=tests python -m support.run_picture`.
"""

import pathlib

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_lr import callbacks, demo, plotting

PICTURE = pathlib.Path(__file__).parents[2] / "notebooks" / "images" / "run.png"
# Inches; at 200 dots each the picture is twice as wide as a page shows it, for sharp screens.
_SIZE, _DPI = (9.0, 3.4), 200
_OURS, _THEIRS = "tab:blue", "0.6"


def trained(driver, recorder):
    """Returns the history of a run of the demo's classifier."""
    return demo.fit(demo.build_model(), demo.load_data(), demo.EPOCHS, [*driver, recorder])


def draw_choice(ax, found):
    """The losses at rising rates, and the choice for a run of this length."""
    ax.plot(found.learning_rates, found.losses, color=_OURS, linewidth=0.9, alpha=0.35)
    ax.plot(found.learning_rates, found.smoothed, color=_OURS, linewidth=1.8)
    ax.axvline(found.suggestion, color="tab:orange", linewidth=1.8)
    ax.set(xscale="log", xlabel="learning rate tried", ylabel="loss", ylim=(1.8, 2.75))
    text = f"chosen for\n{found.total_steps} updates:\n{found.suggestion:.2g}"
    point(ax, text, (found.suggestion, 2.0), (0.3, 0.3))
    ax.set_title("Choose: before the first update", fontsize=10)


def draw_rates(ax, recorder):
    """The rate of every update, and what changed it."""
    plotting.plot_record(recorder, ax, losses=False)
    ax.set_ylabel("learning rate applied")
    ax.get_legend().remove()
    # The first change is at the end of the update before the cut.
    cut = int(np.argmin(np.diff(recorder.learning_rate)))
    text = "validation stalls:\nback to the best state,\non at a tenth"
    point(ax, text, (cut + 1, 0.75 * recorder.learning_rate[cut]), (0.7, 0.85))
    ax.set_title("Drive: every update, in the open", fontsize=10)


def draw_losses(ax, ours, theirs):
    """The validation losses of both runs."""
    epochs = np.arange(1, demo.EPOCHS + 1)
    ax.plot(epochs, theirs["val_loss"], color=_THEIRS, linewidth=1.8, label="Keras' default rate")
    ax.plot(epochs, ours["val_loss"], color=_OURS, linewidth=1.8, label="AutoLearningRate()")
    ax.set(xlabel="epoch", ylabel="validation loss", ylim=(0, 1), xticks=range(0, 21, 5))
    ax.legend(fontsize=8, frameon=False)
    ax.set_title("Explain: what it brought", fontsize=10)


def point(ax, text, target, place):
    """Writes text at a place (of a picture of height 1) with an arrow to its target in the data."""
    arrow = {"arrowstyle": "->", "color": "0.35"}
    where = {"textcoords": "axes fraction", "arrowprops": arrow, "ha": "center", "va": "center"}
    where["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
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
    draw_losses(explained, ours, theirs)
    for ax in (chosen, driven, explained):
        ax.grid(True, alpha=0.3)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
