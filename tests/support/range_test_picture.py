"""Draws the picture of a range test in docs/finding.md.

Run `PYTHONPATH=tests python -m support.range_test_picture`.
"""

import pathlib

import keras
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from keras_lr import range_test

PICTURE = pathlib.Path(__file__).parents[2] / "notebooks" / "images" / "range_test.png"
# Where they stand in the picture (its width and height are 1), what they say, what they point at.
NOTES = [
    ((0.30, 0.82), "flat: too small", (0.40, 0.60)),
    ((0.55, 0.20), "falling: these work", (0.72, 0.42)),
    ((0.60, 0.92), "shooting up: it breaks", (0.975, 0.82)),
]


def digits():
    """Returns a small classifier, compiled, and its data."""
    images, labels = load_digits(return_X_y=True)
    hidden = keras.layers.Dense(64, activation="relu")
    model = keras.Sequential([keras.Input((64,)), hidden, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss)
    return model, images / 16, labels


def main():
    keras.utils.set_random_seed(0)
    found = range_test(*digits(), num_steps=200, batch_size=64)
    figure = Figure(figsize=(8, 4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    ax = found.plot(ax=figure.subplots())
    arrow = {"arrowstyle": "->", "color": "0.35"}
    for place, text, target in NOTES:
        where = {"xycoords": "axes fraction", "textcoords": "axes fraction", "arrowprops": arrow}
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.9}
        ax.annotate(text, target, place, ha="center", color="0.2", bbox=box, **where)
    ax.legend(fontsize="small", loc="lower left")
    ax.set_title("A range test of a small classifier of digits, SGD with momentum")
    figure.savefig(PICTURE)
    print(f"{PICTURE.name}: {found}")


if __name__ == "__main__":
    main()
