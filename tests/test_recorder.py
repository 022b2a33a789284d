"""`LearningRateRecorder`: what it says is what the weights did, in every place it says it."""

import csv
import json

import keras
import numpy as np
import pytest
import unit_gradient

from keras_lr import callbacks, schedules


def recorded(*others, optimizer=None, epochs=3, **options):
    model = unit_gradient.build(optimizer or keras.optimizers.SGD(0.4), **options)
    recorder = callbacks.LearningRateRecorder()
    history = unit_gradient.fit(model, 2, epochs, [recorder, *others])
    return model, recorder, history


def test_rates_per_update_and_per_epoch():
    schedule = schedules.LinearDecay(0.6, 6)
    model, recorder, history = recorded(optimizer=keras.optimizers.SGD(schedule))
    np.testing.assert_allclose(recorder.learning_rate, unit_gradient.applied(model), atol=1e-6)
    assert recorder.updates.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(history.history["learning_rate"], [0.5, 0.3, 0.1])
    assert [row["update"] for row in recorder.epoch_logs] == [1, 3, 5]


def test_a_float_rate_is_recorded_as_it_was_written():
    _, recorder, _ = recorded()
    assert recorder.learning_rate.tolist() == [0.4] * 6


def test_events_tell_who_when_what_and_why_whatever_the_order():
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    _, recorder, _ = recorded(unit_gradient.Feed([1.0, 1.0, 1.0]), plateau)
    assert [str(event) for event in recorder.events] == [
        "epoch 2, update 4: ReduceLROnPlateau 0.4 -> 0.2 (loss no better than 1 for 1 evaluations)",
        "epoch 3, update 6: ReduceLROnPlateau 0.2 -> 0.1 (loss no better than 1 for 1 evaluations)",
    ]
    assert recorder.learning_rate.tolist() == [0.4, 0.4, 0.4, 0.4, 0.2, 0.2]


@unit_gradient.needs_multi_optimizer
def test_one_column_per_optimizer():
    first = keras.optimizers.SGD(0.4, name="body")
    second = keras.optimizers.SGD(schedules.LinearDecay(0.6, 6), name="head")
    groups = keras.optimizers.OptimizerMap(first, {"trace_1/.*": second})
    model, recorder, history = recorded(
        callbacks.Warmup(2), optimizer=keras.optimizers.MultiOptimizer(groups), layers=2
    )
    for name, layer in (("body", "trace_0"), ("head", "trace_1")):
        applied = unit_gradient.applied(model, layer)
        np.testing.assert_allclose(recorder.learning_rates[name], applied, atol=1e-6)
        assert len(history.history[f"learning_rate_{name}"]) == 3
    with pytest.raises(ValueError, match="several optimizers.*Received: .*body"):
        recorder.learning_rate  # noqa: B018


def test_a_csv_logger_listed_after_it_has_the_column(tmp_path):
    recorded(keras.callbacks.CSVLogger(tmp_path / "log.csv"))
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [float(row["learning_rate"]) for row in rows] == [0.4] * 3


def test_to_dict_is_json_and_to_csv_is_whole(tmp_path):
    _, recorder, _ = recorded(callbacks.Warmup(4))
    (rates,) = json.loads(json.dumps(recorder.to_dict()))["learning_rates"].values()
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    recorder.to_csv(tmp_path / "rates.csv")
    lines = (tmp_path / "rates.csv").read_text().splitlines()
    assert lines[0].startswith("update,") and len(lines) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["rates.csv"]


def test_a_second_fit_is_a_new_record_on_the_optimizers_clock():
    model, recorder, _ = recorded()
    unit_gradient.fit(model, 2, 1, [recorder])
    assert recorder.updates.tolist() == [6, 7]


def test_before_any_fit_it_is_empty():
    recorder = callbacks.LearningRateRecorder()
    assert recorder.updates.tolist() == recorder.learning_rate.tolist() == recorder.events == []


def test_plot_draws_what_was_applied_planned_and_changed():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    _, recorder, _ = recorded(unit_gradient.Feed([1.0, 1.0, 1.0]), plateau)
    ax = recorder.plot(figure.subplots())
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert sorted(set(lines["applied"].get_ydata())) == [0.2, 0.4]
    assert lines["change by ReduceLROnPlateau"].get_xdata()[0] == 4
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("update", "learning rate")
    assert [axes.get_ylabel() for axes in figure.axes] == ["learning rate", "loss"]


def test_an_empty_record_is_not_drawn():
    with pytest.raises(ValueError, match="`recorder` must have recorded a fit. Received"):
        callbacks.LearningRateRecorder().plot()
