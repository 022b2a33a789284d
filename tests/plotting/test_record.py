"""Pictures of records: many changes, several callbacks, and updates that were undone."""

import keras
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from support import unit_gradient

from keras_lr import callbacks, schedules
from keras_lr.plotting import plot_losses, plot_record


@pytest.fixture
def ax():
    return Figure().subplots()


def recorded(losses, *used, optimizer=None, layers=1, **options):
    model = unit_gradient.build(optimizer or keras.optimizers.SGD(0.4), layers=layers)
    recorder = callbacks.LearningRateRecorder()
    order = [unit_gradient.Feed(losses), *used, recorder]
    unit_gradient.fit(model, 2, len(losses), order, **options)
    return recorder


def places(ax):
    """Returns by label where vertical lines stand."""
    found, label = {}, None
    for line in ax.get_lines():
        if "change" in line.get_label():
            label = line.get_label()
        if label and len(line.get_xdata()) == 2 and line.get_xdata()[0] == line.get_xdata()[1]:
            found.setdefault(label, []).append(line.get_xdata()[0])
    return found


def test_few_changes_are_lines(ax):
    plot_record(recorded([1.0] * 6, callbacks.ReduceLROnPlateau("loss", 0.5, 2)), ax)
    assert places(ax) == {"change by ReduceLROnPlateau": [6, 10]}


def test_a_change_after_the_last_epoch_is_marked_too(ax):
    plot_record(recorded([1.0, 2.0], callbacks.BoldDriver()), ax)
    assert places(ax) == {"change by BoldDriver": [4]}


def test_callbacks_are_told_apart(ax):
    rules = callbacks.ReduceLROnPlateau("loss", 0.5, 1), callbacks.BoldDriver()
    plot_record(recorded([1.0, 2.0, 3.0], *rules), ax)
    found = {
        line.get_label(): (line.get_color(), line.get_linestyle())
        for line in ax.get_lines()
        if "change" in line.get_label()
    }
    assert list(found) == ["change by ReduceLROnPlateau", "change by BoldDriver"]
    assert len({color for color, _ in found.values()}) == len(set(found.values())) == 2


def test_many_changes_are_ticks_at_the_edge(ax):
    recorder = recorded([1.0] * 21, callbacks.ReduceLROnPlateau("loss", 0.9, 1))
    plot_record(recorder, ax)
    assert not places(ax)
    (ticks,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert ticks.get_label() == "20 changes by ReduceLROnPlateau"
    segments = np.array(ticks.get_segments())
    assert segments[:, 0, 0].tolist() == list(range(4, 43, 2))
    assert segments[:, :, 1].min() > 0.9


@unit_gradient.needs_multi_optimizer
def test_a_change_of_several_optimizers_is_marked_once(ax):
    groups = keras.optimizers.OptimizerMap(
        keras.optimizers.SGD(0.4, name="body"),
        {"trace_1/.*": keras.optimizers.SGD(0.2, name="head")},
    )
    optimizer = keras.optimizers.MultiOptimizer(groups)
    rule = callbacks.ReduceLROnPlateau("loss", 0.5, 1)
    recorder = recorded([1.0, 1.0, 0.5], rule, optimizer=optimizer, layers=2)
    assert len(recorder.events) == 2
    plot_record(recorder, ax)
    assert places(ax) == {"change by ReduceLROnPlateau": [4]}
    labels = [line.get_label() for line in ax.get_lines()]
    assert {"applied, body", "applied, head"} <= set(labels)


def test_what_was_undone_is_shaded_and_time_runs_on(ax):
    rule = callbacks.ReduceLROnPlateau("loss", 0.5, 2, restore_best="all")
    optimizer = keras.optimizers.SGD(schedules.LinearDecay(1.0, 20))
    losses = [2.0, 1.0, 3.0, 3.0, 0.5, 0.4]
    plot_record(
        recorded(losses, rule, optimizer=optimizer), ax, planned=schedules.LinearDecay(1.0, 20)
    )
    lines = {line.get_label(): line.get_data() for line in ax.get_lines()}
    updates, rates = lines["applied"]
    assert (np.diff(updates) >= 0).all() and updates[-1] == 11
    assert places(ax) == {"change by ReduceLROnPlateau": [8]}
    # The plan is that of the clock, which goes back; the rate is half of it from then on.
    np.testing.assert_allclose(
        rates[updates > 8], 0.5 * lines["planned"][1][lines["planned"][0] > 8]
    )
    (shade,) = [patch for patch in ax.patches if patch.get_label() == "undone"]
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (4, 8)
    assert ax.get_xlabel() == "updates made"
    (_, right) = ax.figure.axes
    (curve,) = right.get_lines()
    np.testing.assert_array_equal(curve.get_data(), [[1, 3, 5, 7, 9, 11], losses])


def test_losses_of_some_epochs_only(ax):
    data = {"validation_data": unit_gradient.batches(1), "validation_freq": 2}
    plot_losses(recorded([1.0, 0.5, 0.4, 0.3], **data), ax)
    lines = {line.get_label(): line.get_xdata().tolist() for line in ax.get_lines()}
    assert lines == {"training loss": [1, 3, 5, 7], "validation loss": [3, 7]}


@unit_gradient.needs_multi_optimizer
def test_a_part_that_seldom_updates_is_a_line_through_its_updates(ax):
    often, seldom = (
        keras.optimizers.SGD(0.4, name=name, gradient_accumulation_steps=every)
        for name, every in (("often", None), ("seldom", 2))
    )
    groups = keras.optimizers.OptimizerMap(often, {"trace_1/.*": seldom})
    optimizer = keras.optimizers.MultiOptimizer(groups)
    plot_record(recorded([1.0] * 3, optimizer=optimizer, layers=2), ax)
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.get_lines()}
    assert lines["applied, seldom"] == [[1, 0.4], [3, 0.4], [5, 0.4]]
    assert lines["applied, often"] == [[t, 0.4] for t in range(6)]
