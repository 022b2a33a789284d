"""`DiagnoseLearningRate`: the loss before training, the report, and warnings that come in time."""

import csv
import pickle
import warnings

import keras
import numpy as np
import pytest
from support.tiers import once

from keras_lr import diagnose
from keras_lr.callbacks import DiagnoseLearningRate, LearningRateRecorder

X = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def model():
    """One compiled model for all tests: each begins at the same weights, at its own rate."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


def train(model, rate, callbacks, epochs=8, y=Y):
    model.set_weights([np.zeros((2, 1))])
    model.optimizer.learning_rate = rate
    options = {"batch_size": 8, "epochs": epochs, "shuffle": False, "verbose": 0}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        history = model.fit(X, y, callbacks=callbacks, **options)
    return history, [str(w.message) for w in told if "DiagnoseLearningRate" in str(w.message)]


def test_logs_the_loss_of_the_first_batch_before_its_update(model, tmp_path):
    told = DiagnoseLearningRate(verbose=0)
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history, warned = train(model, 0.1, [told, logger])
    before = float(np.mean(Y[:8] ** 2))
    np.testing.assert_allclose(history.history["initial_loss"], [before] * 8, rtol=1e-5)
    assert diagnose(history).evidence["initial loss"] == pytest.approx(before)
    assert diagnose(tmp_path / "log.csv").evidence == pytest.approx(told.diagnosis.evidence)
    assert told.diagnosis.curves.rate.tolist() == pytest.approx([0.1] * 8)
    assert warned == []
    with open(tmp_path / "log.csv") as file:
        assert len(list(csv.DictReader(file))) == 8


def test_reports_at_the_end(model, capsys):
    told = DiagnoseLearningRate()
    train(model, 0.1, [told])
    assert told.diagnosis.report() in capsys.readouterr().out


@once
def test_a_run_that_is_lost_is_told_once_and_early(model):
    _, warned = train(model, 3.0, [DiagnoseLearningRate(verbose=0)], epochs=12)
    assert len(warned) == 1 and "tenth of the rate" in warned[0]
    _, warned = train(model, 1e-12, [DiagnoseLearningRate(verbose=0)], epochs=20)
    assert len(warned) == 1 and "has not moved" in warned[0]
    quiet = DiagnoseLearningRate(verbose=0, early_warning=False)
    assert train(model, 3.0, [quiet])[1] == []


@once
def test_a_loss_that_is_no_number_is_told_at_the_first_epoch(model):
    told = DiagnoseLearningRate(verbose=0)
    _, warned = train(model, 0.1, [told], epochs=2, y=Y * np.nan)
    assert len(warned) == 1 and "epoch 1" in warned[0]
    assert told.diagnosis.verdict == "diverged"


@once
def test_an_epoch_of_one_batch_has_the_loss_before_it(model):
    told = DiagnoseLearningRate(verbose=0)
    model.set_weights([np.zeros((2, 1))])
    model.fit(X[:8], Y[:8], batch_size=8, epochs=2, callbacks=[told], verbose=0)
    assert told.epoch_logs[1]["initial_loss"] == pytest.approx(float(np.mean(Y[:8] ** 2)))


@once
def test_a_second_fit_begins_anew(model):
    told = DiagnoseLearningRate(verbose=0)
    train(model, 0.1, [told])
    first = told.diagnosis.evidence
    train(model, 1e-3, [told], epochs=6)
    assert told.diagnosis.evidence["epochs"] == 6 and first["epochs"] == 8
    assert told.diagnosis.evidence["peak rate"] == pytest.approx(1e-3)
    assert pickle.loads(pickle.dumps(told)).diagnosis.evidence == told.diagnosis.evidence


def test_before_a_fit_there_is_nothing():
    told = DiagnoseLearningRate()
    assert told.diagnosis is None and isinstance(told, LearningRateRecorder)
    with pytest.raises(ValueError, match="`early_warning` must be True or False"):
        DiagnoseLearningRate(early_warning="yes")
