"""Traces: the same values, from whatever they were kept in."""

import types

import keras
import numpy as np
import pytest
from support import unit_gradient

from keras_lr.callbacks import LearningRateRecorder
from keras_lr.traces import Trace

nan = float("nan")
LOSSES, VALIDATION = [0.5, 0.25, 0.75], [1.0, None, 0.5]
ROWS = [
    {"epoch": 0, "loss": 0.5, "val_loss": 1.0},
    {"epoch": 1, "loss": 0.25},
    {"epoch": 2, "loss": 0.75, "val_loss": 0.5},
]
FORMS = {
    "columns": {"loss": LOSSES, "val_loss": VALIDATION},
    "rows": ROWS,
    "rows of a recorder": types.SimpleNamespace(epoch_logs=ROWS),
}


@pytest.mark.parametrize("metrics", FORMS.values(), ids=FORMS)
def test_forms(metrics):
    trace = Trace.of(metrics)
    assert trace.epochs == (0, 1, 2)
    assert trace.column("loss") == LOSSES and trace.column("val_loss") == VALIDATION


@pytest.mark.parametrize("values", [VALIDATION, tuple(VALIDATION), iter(VALIDATION)], ids=type)
def test_a_list_is_the_column_of_any_name(values):
    trace = Trace.of(values)
    assert trace.epochs == (0, 1, 2) and trace.column("whatever") == VALIDATION


def test_numbers_of_numpy_and_nan_are_numbers():
    assert Trace.of(np.array([1.0, 2.0])).column("loss") == [1.0, 2.0]
    values = Trace.of([np.float32(0.5), np.int64(2), nan]).column("loss")
    assert values[:2] == [0.5, 2] and np.isnan(values[2])


def fit(callbacks=(), **options):
    """Trains for three epochs of scripted losses, validated in the second one; returns History."""
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    options = {"validation_data": unit_gradient.batches(1), "validation_freq": [2], **options}
    used = [unit_gradient.Feed([0.5, nan, 1e-30], "loss"), *callbacks]
    return unit_gradient.fit(model, 1, 3, used, **options)


def assert_read(metrics, epochs=(0, 1, 2)):
    trace = Trace.of(metrics)
    assert trace.epochs == epochs
    np.testing.assert_array_equal(trace.column("loss"), [0.5, nan, 1e-30][: len(epochs)])
    return trace


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_files_of_csv_logger(separator, tmp_path):
    path = tmp_path / "log.csv"
    fit([keras.callbacks.CSVLogger(path, separator)])
    trace = assert_read(path)
    assert_read(str(path))
    # Keras has made up the column at the first epoch, and filled it where there was a value.
    found = trace.column("val_loss")
    assert found[0] is None and found[2] is None and isinstance(found[1], float)


@pytest.mark.parametrize("text", ["loss,epoch\n0.5,0\n0.25,1\n", "loss\n0.5\n0.25\n"])
def test_other_files(text, tmp_path):
    (tmp_path / "log.csv").write_text(text)
    trace = Trace.of(tmp_path / "log.csv")
    assert trace.epochs == (0, 1) and trace.column("loss") == [0.5, 0.25]


def test_what_is_no_number_is_refused_when_it_is_asked_for(tmp_path):
    (tmp_path / "log.csv").write_text('epoch,loss,rates\n0,0.5,"[1, 2]"\n')
    trace = Trace.of(tmp_path / "log.csv")
    assert trace.column("loss") == [0.5]
    with pytest.raises(ValueError, match="must be numbers in 'rates'. Received: .*1, 2"):
        trace.column("rates")


def test_a_recorder_and_a_history():
    recorder = LearningRateRecorder()
    history = fit([recorder])
    assert_read(recorder)
    found = Trace.of(recorder).column("val_loss")
    assert found[0] is None and found[2] is None and isinstance(found[1], float)
    assert Trace.of(recorder).column("learning_rate") == [0.4] * 3
    trace = assert_read(history)
    with pytest.raises(ValueError, match="one value of 'val_loss' per epoch.*Received: 1 values"):
        trace.column("val_loss")
    later = fit(initial_epoch=1, validation_freq=1)
    assert Trace.of(later).epochs == (1, 2)


def test_an_appended_file_of_two_fits_is_refused(tmp_path):
    for _ in range(2):
        fit([keras.callbacks.CSVLogger(tmp_path / "log.csv", append=True)])
    with pytest.raises(ValueError, match="consecutive.*single fit. Received: epochs 0, 1, 2, 0"):
        Trace.of(tmp_path / "log.csv")


@pytest.mark.parametrize(
    "metrics, message",
    [
        (None, "a list of one value per epoch .*Received: metrics=None"),
        (0.5, "a list of one value per epoch .*Received: metrics=0.5"),
        ([], "recorded in one epoch or more"),
        ({}, "recorded in one epoch or more"),
        ({"loss": []}, "recorded in one epoch or more"),
        ({"accuracy": [0.5]}, "must have the metric 'loss'. Received: accuracy"),
        ({"loss": [0.5], "accuracy": [0.5, 0.6]}, "1 values in 2 epochs"),
        ([None, None], "at least one value of 'loss'"),
        (["0.5"], "numbers in 'loss'.*Received: metrics='0.5'"),
        ([[0.5, 0.6]], "numbers in 'loss'"),
    ],
)
def test_bad_metrics(metrics, message):
    with pytest.raises(ValueError, match=message):
        Trace.of(metrics).column("loss")
