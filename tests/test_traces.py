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


# Damaged files


LOG = "epoch,loss,val_loss\r\n0,0.5,1.0\r\n1,0.25,0.75\r\n2,0.125,0.5\r\n"


def read(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Trace.of(path)


def test_a_file_cut_off_anywhere_is_refused_or_has_the_first_rows(tmp_path):
    losses = [0.5, 0.25, 0.125]
    read_rows = set()
    for length in range(len(LOG)):
        try:
            found = read(tmp_path / "log.csv", LOG[:length]).column("loss")
        except ValueError as error:
            assert "`metrics` must " in str(error) and "Received: " in str(error)
            continue
        assert found == losses[: len(found)]
        read_rows.add(len(found))
    assert read_rows == {1, 2, 3}


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + LOG,
        LOG.replace(",", ";"),
        LOG.replace(",", "\t"),
        LOG.replace(",", "|"),
        LOG.replace("epoch,loss,val_loss", '"epoch","loss","val_loss"'),
        LOG.replace("\r\n", "\n"),
        LOG.replace("\r\n", "\r\n\r\n"),
        LOG.replace("\r\n0,", "\r\n0.0,").replace("\r\n1,", "\r\n1.0,"),
    ],
)
def test_what_other_programs_make_of_a_file(content, tmp_path):
    trace = read(tmp_path / "log.csv", content)
    assert trace.epochs == (0, 1, 2) and trace.column("val_loss") == [1.0, 0.75, 0.5]


@pytest.mark.parametrize(
    "content, says",
    [
        (LOG + "3,0.1,0.2,0.3\r\n", "3 values in each row.*Received: '4 in row 4' in '.*log.csv'"),
        (LOG + "3,0.1\r\n", "3 values in each row.*Received: '2 in row 4'"),
        (LOG[LOG.index("0,") :], "first line has the names of the columns. Received: '0,0.5,1.0"),
        (LOG.replace("val_loss", "loss"), "different name for each column"),
        (
            LOG.replace("\r\n1,", "\r\nx,"),
            "epochs that are whole numbers from 0 on.*Received: .*'x'",
        ),
        (LOG.replace("\r\n1,", "\r\n1.5,"), "epochs that are whole numbers.*Received: .*1.5"),
        (LOG.replace("\r\n1,", "\r\n,"), "epochs that are whole numbers.*Received: .*None"),
        (LOG.replace("0.25", "9" * 5000), "numbers in 'loss'"),
        (LOG.replace("0.25", "9" * 400), "numbers in 'loss'"),
        (LOG.replace("0.25", "1_000"), "numbers in 'loss'.*Received: metrics='1_000'"),
        (LOG.replace("0.25", "9" * 200_000), "a file of separated values, but field larger"),
        (LOG.replace("0.25", '"0.25'), "a file of separated values, but unexpected end"),
        (LOG.encode("utf-16"), "a file of text in UTF-8"),
        (bytes(range(256)), "a file of text in UTF-8"),
        (LOG.encode().replace(b"5", b"\0"), "a file of text. Received: 'zero bytes"),
        ("", "recorded in one epoch or more"),
        ("epoch,loss,val_loss\r\n", "recorded in one epoch or more"),
    ],
)
def test_damaged_files_are_refused(content, says, tmp_path):
    with pytest.raises(ValueError, match=f"(?s)`metrics` must be .*{says}"):
        read(tmp_path / "log.csv", content).column("loss")


@pytest.mark.parametrize(
    "metrics, says",
    [
        ({"loss": 0.5}, "a dict of lists, 'loss' too. Received: metrics=0.5"),
        ({"loss": "0.5"}, "a dict of lists, 'loss' too"),
        ({"loss": {0.5, 0.25}}, "a dict of lists, 'loss' too"),
        (b"log.csv", "a list of one value per epoch"),
        ({0.5, 0.25}, "a list of one value per epoch"),
        (np.array(0.5), "a list of one value per epoch"),
        ([10**400], "numbers in 'loss'"),
        (iter(lambda: 0.5, None), "of at most 1000000 epochs"),
        ([{"epoch": -1, "loss": 0.5}], "epochs that are whole numbers from 0 on"),
    ],
)
def test_metrics_without_order_or_end(metrics, says):
    with pytest.raises(ValueError, match=f"`metrics` must be .*{says}"):
        Trace.of(metrics).column("loss")
