"""`plot_what_if`: what is drawn is what `replay` found, and it can be read."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_lr.callbacks import (
    BoldDriver,
    GreedyLR,
    LossThreshold,
    ReduceLROnPlateau,
    ValidationDecay,
    plot_what_if,
    replay,
)
from keras_lr.plotting import plot_replays
from keras_lr.schedules import LinearDecay

nan = float("nan")
LOSSES = [1.0, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9, 0.7]


def plateaus(*patiences, **options):
    options = {"factor": 0.5, **options}
    return [ReduceLROnPlateau(patience=patience, **options) for patience in patiences]


@pytest.fixture
def ax():
    return Figure().subplots()


def titles(ax):
    """Returns the lanes' titles, from above."""
    found = [text for text in ax.texts if " rate " in text.get_text()]
    return [text.get_text() for text in sorted(found, key=lambda text: -text.get_position()[1])]


def lanes(ax):
    """Returns the rates' lines, from above: each in shares of the height of its axes."""
    lines = [line for line in ax.get_lines() if line.get_drawstyle() == "steps-post"]
    return sorted(lines, key=lambda line: -max(line.get_ydata()))


def marks(ax):
    return [line for line in ax.get_lines() if line.get_marker() in ("v", "^")]


def test_a_lane_for_each_callback_says_what_differs_and_what_happens(ax):
    plot_what_if(plateaus(2, 5, 9), LOSSES, ax, learning_rate=0.1)
    assert titles(ax) == [
        "patience=2: 2 changes, rate 0.1 to 0.025",
        "patience=5: 1 change, rate 0.1 to 0.05",
        "patience=9: 0 changes, rate 0.1 to 0.1",
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epochs trained", "val_loss")


def test_rates_change_where_the_epoch_ends(ax):
    plot_what_if(plateaus(2), LOSSES, ax, learning_rate=0.1)
    (lane,) = lanes(ax)
    epochs, heights = lane.get_data()
    assert epochs.tolist() == list(range(9))
    # Bad epochs are those from the third on, in pairs.
    assert np.flatnonzero(np.diff(heights)).tolist() == [3, 5]
    levels = np.unique(heights)
    # 0.1, 0.05 and 0.025 on an axis from 0.
    assert (levels[1:] - levels[:-1]) / (levels[2] - levels[0]) == pytest.approx([1 / 3, 2 / 3])


def test_far_apart_the_scale_is_logarithmic(ax):
    plot_what_if(plateaus(1, factor=0.1), LOSSES, ax, learning_rate=0.1)
    (lane,) = lanes(ax)
    levels = np.unique(lane.get_ydata())
    np.testing.assert_allclose(np.diff(levels), np.diff(levels)[0])


def test_a_rate_of_zero_lies_at_the_bottom(ax):
    plan = LinearDecay(1.0, 4)
    plot_what_if(plateaus(9), LOSSES, ax, learning_rate=plan)
    (lane,) = lanes(ax)
    heights = lane.get_ydata()
    assert np.isfinite(heights).all() and heights[4] == heights.min() == heights[-1]


def test_metrics_are_above_and_rates_below(ax):
    plot_what_if(plateaus(1, 2, 3), LOSSES, ax, learning_rate=0.1)
    (curve,) = [line for line in ax.get_lines() if line.get_label() == "val_loss"]
    np.testing.assert_array_equal(curve.get_data(), [range(1, 9), LOSSES])
    bottom, top = ax.get_ylim()
    lowest = (min(LOSSES) - bottom) / (top - bottom)
    assert max(max(line.get_ydata()) for line in lanes(ax)) < lowest
    shown = [tick for tick in ax.get_yticks() if bottom < tick < top]
    assert len(shown) >= 2 and min(shown) > bottom + (top - bottom) * max(lanes(ax)[0].get_ydata())


def test_marks_are_at_the_values_that_caused_the_changes(ax):
    plot_what_if(plateaus(2, 5), LOSSES, ax, learning_rate=0.1)
    found = [(m.get_xdata()[0], m.get_ydata()[0], m.get_color()) for m in marks(ax)]
    assert found == [(4, 0.9, "C0"), (6, 0.9, "C0"), (7, 0.9, "C1")]
    assert {mark.get_marker() for mark in marks(ax)} == {"v"}


def test_of_many_changes_there_are_neither_marks_nor_dots(ax):
    falling = np.linspace(1.0, 0.5, 40)
    plot_what_if((rule for rule in [BoldDriver("val_loss")]), iter(falling), ax)
    assert titles(ax)[0].startswith("BoldDriver: 39 changes") and not marks(ax)
    assert [line.get_marker() for line in ax.get_lines()].count(".") == 1


def test_a_rise_is_marked_by_another_shape(ax):
    plot_what_if(BoldDriver("val_loss"), LOSSES[:2], ax)
    assert [mark.get_marker() for mark in marks(ax)] == ["^"]


def test_many_callbacks_have_lanes_only(ax):
    plot_what_if(plateaus(*range(1, 13)), LOSSES, ax, learning_rate=0.1)
    assert len(titles(ax)) == 12 and not marks(ax)
    ax.figure.draw_without_rendering()


@pytest.mark.parametrize(
    "callbacks, labels",
    [
        (ReduceLROnPlateau(), ["ReduceLROnPlateau"]),
        (plateaus(2, 2), ["ReduceLROnPlateau", "ReduceLROnPlateau"]),
        (
            [*plateaus(2, factor=0.1), *plateaus(3, factor=0.5)],
            ["factor=0.1 patience=2", "factor=0.5 patience=3"],
        ),
        (
            [*plateaus(2, 3), ValidationDecay()],
            ["ReduceLROnPlateau patience=2", "ReduceLROnPlateau patience=3", "ValidationDecay"],
        ),
        (
            [GreedyLR(min_lr=x, verbose=n) for n, x in enumerate((0.1, 0.2))],
            ["min_lr=0.1", "min_lr=0.2"],
        ),
        (
            [LossThreshold(x, [0.1, 0.2], hysteresis=h) for x, h in ((0.5, 0.0), (0.6, 0.1))],
            ["thresholds=(0.5,) hysteresis=0.0", "thresholds=(0.6,) hysteresis=0.1"],
        ),
    ],
)
def test_labels_are_the_arguments_that_differ(callbacks, labels, ax):
    metrics = {"loss": LOSSES, "val_loss": LOSSES}
    plot_what_if(callbacks, metrics, ax, learning_rate=0.15)
    assert [title.partition(":")[0] for title in titles(ax)] == labels


def test_long_labels_are_shortened(ax):
    rules = [
        LossThreshold([i / n for i in range(1, n)], [0.1] * n, monitor="val_loss") for n in (20, 30)
    ]
    plot_what_if(rules, LOSSES, ax, learning_rate=0.1)
    assert all(len(title.partition(":")[0]) == 60 for title in titles(ax))


def test_other_labels(ax):
    plot_what_if(plateaus(2, 5), LOSSES, ax, labels=["short", "long"])
    assert [title.partition(":")[0] for title in titles(ax)] == ["short", "long"]
    with pytest.raises(
        ValueError, match="`labels` must be one for each of the 2 replays.*Received"
    ):
        plot_what_if(plateaus(2, 5), LOSSES, ax, labels=["one"])


def test_two_metrics_have_a_curve_each(ax):
    metrics = {"loss": LOSSES, "val_loss": [None, 0.5] * 4}
    rules = [ReduceLROnPlateau(name, patience=2) for name in ("loss", "val_loss")]
    plot_what_if(rules, metrics, ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["loss", "val_loss"]
    (curve,) = [line for line in ax.get_lines() if line.get_label() == "val_loss"]
    np.testing.assert_array_equal(curve.get_data(), [[2, 4, 6, 8], [0.5] * 4])
    assert ax.get_ylabel() == "loss and val_loss"


def test_a_stop_ends_a_lane_and_not_the_curve(ax):
    rules = [ReduceLROnPlateau(on_nan=way) for way in ("stop", "ignore")]
    plot_what_if(rules, [1.0, 0.5, nan, 0.25], ax)
    assert titles(ax)[0] == "on_nan='stop': 0 changes, rate 1 to 1, then a stop"
    assert [max(line.get_xdata()) for line in lanes(ax)] == [3, 4]
    (curve,) = [line for line in ax.get_lines() if line.get_label() == "val_loss"]
    assert curve.get_xdata().tolist() == [1, 2, 4]


@pytest.mark.parametrize("values", [[nan, nan], [0.0, 0.0], [0.5]])
def test_hardly_anything_to_draw(values, ax):
    plot_what_if(plateaus(2), values, ax)
    ax.figure.draw_without_rendering()


def test_a_replay_draws_itself(ax):
    found = replay(plateaus(2)[0], LOSSES)
    assert found.plot(ax) is ax
    assert titles(ax) == ["ReduceLROnPlateau: 2 changes, rate 1 to 0.25"]


def test_a_new_figure_grows_with_the_callbacks():
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    heights = [plot_what_if(plateaus(*range(1, n)), LOSSES).figure.get_figheight() for n in (2, 9)]
    plt.close("all")
    assert heights[1] > heights[0] + 3


def test_no_replays_are_no_picture(ax):
    with pytest.raises(ValueError, match="`labels` must be a list of 1 or more"):
        plot_replays([], [], ax)
    with pytest.raises(ValueError, match="`callbacks` must be one callback or more. Received"):
        plot_what_if([], LOSSES, ax)


def test_the_former_place_says_where_it_is_now():
    with pytest.raises(ImportError, match="Write `from keras_lr import plot_what_if`"):
        from keras_lr.plotting import plot_what_if  # noqa: F401
