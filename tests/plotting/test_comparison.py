"""The picture of a comparison: what is drawn of results and rates, also where runs diverged."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_lr.comparison import Comparison, Contestant
from keras_lr.comparison.result import Point
from keras_lr.plotting import plot_comparison

CURVE = (Point(0.1, 0.9, 0.05), Point(0.2, 0.5, 0.02), Point(0.4, math.inf, math.nan))


def contestant(name, values, rate=0.2, curve=CURVE):
    finite = all(map(math.isfinite, values))
    mean = float(np.mean(values)) if finite else math.inf
    error = float(np.std(values, ddof=1) / len(values) ** 0.5) if finite else math.nan
    return Contestant(name, rate, True, curve, values, mean, error, int(not finite), 0)


def found(*rows, higher_is_better=False):
    return Comparison("loss", higher_is_better, 2, 100, rows, (), ())


GOOD = contestant("linear", (0.4, 0.6))
BROKEN = contestant("constant", (0.7, math.inf))
OWN = contestant("own", (0.8, 1.0), rate=None, curve=())


def test_results_are_a_row_per_contender_the_best_on_top():
    ax = plot_comparison(found(GOOD, OWN, BROKEN), Figure().subplots())
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "linear, 0.2",
        "own",
        "constant, 0.2",
    ]
    bottom, top = ax.get_ylim()
    assert bottom > top
    assert ax.get_xlabel() == "test loss" and "2 seeds" in ax.get_title()
    # Of what diverged, the seeds that did not are there, and a word in the place of the mean.
    points = {line.get_ydata()[0]: line.get_xdata() for line in ax.lines if line.get_alpha()}
    assert sorted(points[0]) == [0.4, 0.6] and list(points[2]) == [0.7]
    assert [text.get_text() for text in ax.texts] == ["diverged"]


def test_the_bars_are_mean_and_standard_error():
    ax = plot_comparison(found(GOOD), Figure().subplots())
    (container,) = ax.containers
    (left, _), (right, _) = container.lines[2][0].get_segments()[0]
    assert (left, right) == pytest.approx((0.4, 0.6))


@pytest.mark.parametrize("sign", [1, -1], ids=["lower is better", "higher is better"])
def test_on_two_axes_the_first_shows_how_rates_were_chosen(sign):
    curve = tuple(Point(point.rate, sign * point.mean, point.error) for point in CURVE)
    rows = [contestant("linear", (0.4, 0.6), curve=curve), OWN]
    axes = Figure().subplots(1, 2)
    assert plot_comparison(found(*rows, higher_is_better=sign < 0), axes) is axes
    choice = axes[0]
    assert choice.get_xscale() == "log" and choice.get_ylabel() == "validation loss"
    assert [text.get_text() for text in choice.get_legend().get_texts()] == ["linear"]
    (chosen,) = [line.get_xydata()[0] for line in choice.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(chosen, [0.2, sign * 0.5])
    bottom, top = choice.get_ylim()
    assert bottom < min(sign * 0.5, sign * 0.9) and max(sign * 0.5, sign * 0.9) < top


def test_where_everything_diverged_a_picture_says_so():
    broken = contestant("constant", (math.inf, math.inf), curve=CURVE[2:])
    axes = Figure().subplots(1, 2)
    plot_comparison(found(broken), axes)
    assert [text.get_text() for text in axes[1].texts] == ["diverged"]
    assert axes[0].get_legend() is None
