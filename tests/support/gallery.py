"""Draws the catalogue's picture, a panel for each class.

Run `PYTHONPATH=tests python -m support.gallery`.
"""

import json
import pathlib
import re

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image, PngImagePlugin
from support.examples import SCHEDULES

from keras_lr.plotting import plot_schedules

PICTURE = pathlib.Path(__file__).parents[2] / "notebooks" / "images" / "gallery.png"

# By the module of keras_lr.schedules that an example's class lives in, in order of appearance.
FAMILIES = {
    "keras_schedules": ("Keras' own", "#c2410c"),
    "decay": ("decays without an end", "#15803d"),
    "annealing": ("decays to an end", "#1d4ed8"),
    "interpolation": ("through points", "#0e7490"),
    "cyclic": ("cycles", "#a16207"),
    "recipes": ("recipes", "#b91c1c"),
    "function": ("functions, tables", "#475569"),
    "algebra": ("compositions", "#7e22ce"),
    "compose": ("compositions", "#7e22ce"),
    "noise": ("random", "#be185d"),
}
_QUIET = "#64748b"
_COLUMNS = 6
_LONGEST_LINE = 24
# Inches; at 200 dots each the picture is twice as wide as a page shows it, for sharp screens.
_WIDTH, _ROW, _MARGINS, _DPI = 9.0, 1.12, 0.6, 200


def ordered():
    """Returns the first example of each class by family, in each in the order of their list."""
    families, first = list(FAMILIES), {}
    for example in SCHEDULES:
        first.setdefault(type(example.schedule), example)
    return sorted(first.values(), key=lambda example: families.index(family(example)))


def family(example):
    return type(example.schedule).__module__.rpartition(".")[2]


def run_length():
    """Returns the updates to draw, the same for all: more than a run, to show what comes after."""
    return round(1.25 * max(example.total_steps for example in SCHEDULES))


def draw():
    """Returns the picture as a figure with a panel for each example."""
    examples = ordered()
    rows = -(-len(examples) // _COLUMNS)
    figure = Figure(figsize=(_WIDTH, _MARGINS + rows * _ROW), layout="constrained")
    figure.get_layout_engine().set(wspace=0.02, hspace=0.03, rect=(0, 0, 0.985, 1))
    grid = figure.add_gridspec(rows, _COLUMNS)
    for place, example in enumerate(examples):
        ax = figure.add_subplot(grid[divmod(place, _COLUMNS)])
        _draw_panel(ax, example)
        if place % _COLUMNS == 0:
            ax.set_ylabel("learning rate", fontsize=7, color=_QUIET)
        if place + _COLUMNS >= len(examples):
            ax.tick_params(axis="x", labelbottom=True)
            ax.set_xlabel("update", fontsize=7, color=_QUIET, labelpad=1)
    figure.align_ylabels()
    _draw_key(figure)
    return figure


def _draw_panel(ax, example):
    plot_schedules([example.schedule], run_length(), ax=ax, marks=False)
    (line,) = ax.get_lines()
    line.set(color=FAMILIES[family(example)][1], linewidth=1.4)
    low, high = min(line.get_ydata().min(), 0.0), line.get_ydata().max()
    ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    ax.set(xlabel="", ylabel="", xticks=[0, example.total_steps], yticks=[0, high])
    ax.set_yticklabels(["0", f"{high:.2g}"])
    ax.tick_params(labelsize=7, length=0, pad=2, labelcolor=_QUIET, labelbottom=False)
    ax.set_title(wrapped(example.title), fontsize=7, pad=3)
    ax.grid(True, alpha=0.4, linewidth=0.6)
    for side, spine in ax.spines.items():
        spine.set(visible=side in ("left", "bottom"), color="#cbd5e1")


def wrapped(title):
    """Returns a title too long for a panel in two lines, broken at the comma in its middle."""
    commas = [comma.start() for comma in re.finditer(", ", title)]
    if len(title) <= _LONGEST_LINE or not commas:
        return title
    middle = min(commas, key=lambda comma: abs(comma - len(title) / 2))
    return f"{title[:middle]}\n{title[middle + 2 :]}"


def _draw_key(figure):
    handles = [
        Line2D([], [], color=color, label=label, linewidth=3)
        for label, color in dict.fromkeys(FAMILIES.values())
    ]
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=-(-len(handles) // 2),
        frameon=False,
        fontsize=8.5,
        handlelength=1.2,
    )


def fingerprint():
    """Returns what the picture shows, by example: rates in percent of the peak at 26 updates."""
    return {_entry(example): _percents(example.schedule) for example in ordered()}


def _entry(example):
    # A function's repr holds its address, another one in every process.
    return re.sub(r" at 0x[0-9a-fA-F]+", "", f"{example.title}: {example.schedule!r}")


def _percents(schedule):
    rates = schedule.rates(np.linspace(0, run_length(), 26).round())
    return (100 * rates / np.abs(rates).max()).round().astype(int).tolist()


def write(path=PICTURE):
    """Draws the picture into a PNG that says in its metadata what it shows."""
    figure = draw()
    figure.dpi = _DPI
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    note = PngImagePlugin.PngInfo()
    note.add_text("Examples", json.dumps(fingerprint()), zip=True)
    # 64 colours are enough for lines, and a quarter of the bytes.
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(64)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, pnginfo=note, optimize=True)


def shown(path=PICTURE):
    """Returns the fingerprint that the picture was written with."""
    with Image.open(path) as picture:
        return json.loads(picture.text["Examples"])


if __name__ == "__main__":
    write()
