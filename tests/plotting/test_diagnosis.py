"""The picture of a diagnosis: a line per curve, and each finding where it was seen."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from support.run_curves import POSITIVE

from keras_lr import diagnose


def drawn(history, **options):
    return diagnose(history, **options).plot(Figure().subplots())


def entries(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("name", POSITIVE)
def test_every_finding_is_in_the_legend(name):
    ax = drawn(POSITIVE[name])
    assert name in entries(ax) and "training loss" in entries(ax)


def test_curves_are_drawn_where_they_are_numbers():
    history = {"loss": [3.0, 2.0, math.nan, 1.0], "val_loss": [None, 2.5, None, 1.5]}
    ax = drawn({**history, "lr": [0.1] * 4}, initial=4.0)
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.get_lines()}
    assert lines["training loss"] == [[1, 3.0], [2, 2.0], [4, 1.0]]
    assert lines["validation loss"] == [[2, 2.5], [4, 1.5]]
    assert lines["loss before training"] == [[0, 4.0]]
    assert "learning rate" in entries(ax)
    # A rate that runs along the top is behind the legend.
    (right,) = (other for other in ax.figure.axes if other is not ax)
    assert ax.get_zorder() > right.get_zorder()


def test_places_and_stretches():
    ax = drawn(POSITIVE["spike"])
    dashed = [line for line in ax.get_lines() if line.get_label() == "spike"]
    assert dashed[0].get_xdata()[0] == 26
    assert drawn(POSITIVE["plateau"]).patches


def test_what_is_no_number_can_be_drawn_and_many_points_are_few():
    assert "nan" in entries(drawn([math.nan] * 3))
    ax = drawn(np.linspace(2.0, 1.0, 10**6), unit="update")
    assert len(ax.get_lines()[0].get_xdata()) <= 10_000
