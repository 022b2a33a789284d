"""`RangeTest`: interval, peaks for other schedules, JSON, and its picture."""

import dataclasses
import json

import matplotlib
import numpy as np
import pytest
from support.sweeps import RATES, quadratic

from keras_lr.finder.curve import Curve
from keras_lr.finder.result import RangeTest
from keras_lr.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    LinearDecay,
    LinearToZero,
    SqrtDecay,
    StepDecay,
    WarmupStableDecay,
)

matplotlib.use("Agg")


def test_the_interval_is_what_the_repeats_say_and_the_suggestion_the_lower_middle():
    curves = [quadratic(c) for c in (0.5, 1.0, 4.0, 8.0)]
    singles = sorted(RangeTest.of(c, [c]).suggestion for c in curves)
    found = RangeTest.of(curves[1], curves)
    assert found.interval == (singles[0], singles[-1])
    assert found.suggestion == singles[1]
    assert RangeTest.of(curves[0], curves[:1]).interval is None
    assert RangeTest.of(curves[0], [curves[0]] * 3).interval is None


def test_losses_that_are_no_numbers_point_to_the_data():
    curve = Curve(RATES[:3], np.ones(3), 10, cut_short=True)
    found = RangeTest.of(curve, [curve])
    assert found.status == "diverged at once" and "NaN or infinity in the data" in found.advice


def test_the_result_cannot_be_changed_and_goes_through_json():
    curve = quadratic(1.0)
    found = dataclasses.replace(RangeTest.of(curve, [curve]), evidence=((0.1, np.inf), (0.2, 1.0)))
    with pytest.raises(dataclasses.FrozenInstanceError, match="suggestion"):
        found.suggestion = 1.0
    with pytest.raises(ValueError, match="read-only"):
        found.losses[0] = 1.0
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["suggestion"] == found.suggestion and told["evidence"] == [[0.1, None], [0.2, 1.0]]
    assert told["losses"] == found.losses.tolist()
    assert f"{found.suggestion:.3g}" in repr(found)


# Best peaks of the bound in a run of 1000, times √1000: 1/√(1 + H₉₉₉), and nearly 1 of a line.
CONSTANT = (1.0 + sum(1.0 / t for t in range(1, 1000))) ** -0.5


@pytest.mark.parametrize(
    "schedule, factor, tolerance",
    [
        (LinearToZero(1.0, 1000), 1.0, 1e-2),
        (LinearDecay(0.2, 100), 1.0, 1e-2),
        (CosineDecay(3.0, 1000), 0.97, 1e-2),
        (WarmupStableDecay(1.0, 1000), 0.55, 0.02),
        (Constant(0.3), CONSTANT, 1e-2),
        (0.3, CONSTANT, 1e-2),
        (LinearToZero(1.0, "100%"), 1.0, 1e-2),
        # What is left of the peak moves nothing: a constant rate over half of the run.
        (StepDecay(1.0, 500, 1e-6), 2**0.5 * CONSTANT, 0.06),
        # It is never raised.
        (SqrtDecay(1.0, 1000), 1.0, 0),
        (ExponentialDecay(1.0, 1000, 0.01), 1.0, 0),
    ],
    ids=repr,
)
def test_the_peak_for_a_schedule_depends_on_how_it_anneals(schedule, factor, tolerance):
    curve = quadratic(1.0)
    found = RangeTest.of(curve, [curve])
    assert found.suggestion_for(schedule) == pytest.approx(factor * found.suggestion, rel=tolerance)


def test_the_peak_of_a_constant_rate_depends_on_the_length_of_the_run():
    curve = quadratic(1.0)
    found = dataclasses.replace(RangeTest.of(curve, [curve]), total_steps=100)
    factors = [found.suggestion_for(0.3, steps) / found.suggestion for steps in (100, 10**6)]
    expected = [(1.0 + sum(1.0 / t for t in range(1, n))) ** -0.5 for n in (100, 100_000)]
    # Of longer runs so many updates are looked at.
    np.testing.assert_allclose(factors, expected, rtol=0.03)
    assert found.suggestion_for(0.3) == found.suggestion_for(0.3, 100)
    with pytest.raises(ValueError, match="`schedule` must be a schedule with a rate above 0"):
        found.suggestion_for(0.0)
    with pytest.raises(ValueError, match="`total_steps` must be an integer >= 1"):
        found.suggestion_for(0.3, 0)


def test_without_a_suggestion_there_is_none_for_a_schedule():
    curve = Curve(RATES[:3], np.ones(3), 10)
    assert RangeTest.of(curve, [curve]).suggestion_for(Constant(1.0)) is None


def test_the_picture_shows_curve_suggestions_and_interval():
    from matplotlib.figure import Figure

    curves = [quadratic(c, noise=0.1) for c in (0.5, 4.0)]
    found = RangeTest.of(curves[0], curves)
    axes = Figure().subplots()
    assert found.plot(axes) is axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "loss")
    assert axes.get_xscale() == "log"
    drawn = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_array_equal(drawn["running mean"].get_ydata(), found.smoothed)
    for name in ("minimum", "valley", "steepest"):
        [label] = [label for label in drawn if label.startswith(name)]
        assert drawn[label].get_xdata()[0] == found.suggestions[name]
    assert any(label.startswith("suggestion") for label in drawn)
    [shaded] = axes.patches
    assert shaded.get_x() == pytest.approx(found.interval[0])
    # What the loss did after it had diverged does not hide where it fell.
    assert axes.get_ylim()[1] < found.smoothed.max()


def test_the_picture_of_no_suggestion_says_so():
    from matplotlib.figure import Figure

    for losses in (np.array([]), np.full(40, 2.0)):
        curve = Curve(RATES[: len(losses)], losses, 10)
        axes = RangeTest.of(curve, [curve]).plot(Figure().subplots())
        assert axes.get_title().endswith("no suggestion")
