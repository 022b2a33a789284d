"""`curves_of`: every form of a record has the same curves, and what is damaged is refused."""

import math
import types

import numpy as np
import pytest

from keras_lr.diagnosis.reading import curves_of

nan = math.nan
COLUMNS = {
    "loss": [2.0, 1.0, nan],
    "val_loss": [None, 1.5, nan],
    "learning_rate": [0.1, 0.1, 0.01],
    "initial_loss": [2.5, 2.5, 2.5],
}
ROWS = [{"epoch": i, **{n: v[i] for n, v in COLUMNS.items()}} for i in range(3)]
TEXT = "epoch,initial_loss,learning_rate,loss,val_loss\n0,2.5,0.1,2.0,NA\n1,2.5,0.1,1.0,1.5\n"
TEXT += "2,2.5,0.01,nan,nan\n"
FORMS = {
    "a dict": COLUMNS,
    "rows": ROWS,
    "a recorder": types.SimpleNamespace(epoch_logs=ROWS),
    "a History": types.SimpleNamespace(history=COLUMNS, epoch=[0, 1, 2]),
    "lr": {**COLUMNS, "lr": COLUMNS["learning_rate"]},
}


def assert_read(curves):
    np.testing.assert_array_equal(curves.loss, [2.0, 1.0, nan])
    # Not measured, measured, and measured as no number.
    np.testing.assert_array_equal(curves.val_loss, [nan, 1.5, math.inf])
    assert curves.rate.tolist() == [0.1, 0.1, 0.01]
    assert (curves.initial, curves.unit) == (2.5, "epoch")


@pytest.mark.parametrize("history", FORMS.values(), ids=FORMS)
def test_forms(history):
    assert_read(curves_of(history))


def test_a_file(tmp_path):
    (tmp_path / "log.csv").write_text(TEXT)
    assert_read(curves_of(tmp_path / "log.csv"))


def test_arrays_and_lists_alone():
    for losses in ([2.0, 1.0], np.array([2, 1]), np.array([2.0, 1.0], "float32")):
        curves = curves_of(losses, initial=3.0, unit="update")
        assert curves.loss.tolist() == [2.0, 1.0] and curves.loss.dtype == "float64"
        assert (curves.val_loss, curves.rate) == (None, None)
        assert (curves.initial, curves.unit) == (3.0, "update")
    assert curves_of(curves) is curves
    arrays = {"loss": np.ones(3), "lr": np.full(3, 0.1), "accuracy": np.ones(3)}
    assert curves_of(arrays).rate.tolist() == [0.1] * 3


def test_of_several_optimizers_the_highest_rate_counts():
    rates = {"learning_rate_body": [0.01, 0.01], "learning_rate_head": [0.1, 0.05]}
    assert curves_of({"loss": [1.0, 0.5], **rates}).rate.tolist() == [0.1, 0.05]
    assert curves_of({"loss": [1.0, 0.5], "lr": [nan, 0.1]}).rate is None


@pytest.mark.parametrize(
    "history, message",
    [
        ({"accuracy": [0.5, 0.6]}, "the metric 'loss'. Received: accuracy"),
        ({"accuracy": np.ones(2)}, "the metric 'loss'. Received: accuracy"),
        ({"loss": [1.0, 0.5], "val_loss": [1.0]}, "one value of 'val_loss' per epoch"),
        ({"loss": np.ones(2), "val_loss": np.ones(1)}, "2 numbers in 'val_loss', as many as"),
        ({"loss": np.ones((2, 2))}, "an array of 2 numbers in 'loss'"),
        ({"loss": np.array(["a"])}, "an array of 1 numbers in 'loss'"),
        ({"loss": np.zeros(0)}, "one or more"),
        ({"loss": [1.0, "high"]}, "numbers in 'loss'. Received.*'high'"),
        ({"loss": [1.0, None]}, "a loss, epoch 1 too"),
        ({"loss": []}, "one epoch or more"),
        ([], "one epoch or more"),
        (3.0, "a list of one value per epoch"),
    ],
)
def test_what_is_no_record_is_refused(history, message):
    with pytest.raises(ValueError, match=f"`history` must .*{message}"):
        curves_of(history)


@pytest.mark.parametrize(
    "text, message",
    [
        (TEXT[:-4], "a file whose last line ends with a line break"),
        (TEXT.replace("1.0,1.5", "1.0"), "5 values in each row"),
        (TEXT.replace("1,2.5", "7,2.5"), "consecutive epochs"),
        (TEXT.replace("loss,val", "x,val"), "the metric 'loss'"),
        ("", "one epoch or more"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, text, message):
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(ValueError, match=f"`history` must .*{message}"):
        curves_of(str(tmp_path / "log.csv"))


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="`unit` must be one of 'epoch', 'update'"):
        curves_of([1.0], unit="batch")
    with pytest.raises(ValueError, match="`initial` must be a finite number"):
        curves_of([1.0], initial=nan)
