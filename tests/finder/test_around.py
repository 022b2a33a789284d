"""Diagnosis by experiment: what it tries, what it costs, and that nothing of it stays."""

import json
import random

import keras
import numpy as np
import pytest
from support.small_network import assert_same_bits, state_of
from support.tiers import once

from keras_lr import diagnose
from keras_lr.keras_private.fresh_models import fresh_copy

X = np.random.default_rng(0).normal(size=(96, 2)).astype("float32")
Y = X @ np.array([[1.0], [-2.0]], "float32")
DATA = {"x": X[:64], "y": Y[:64], "validation_data": (X[64:], Y[64:]), "batch_size": 16}
QUICK = {"budget": 300, "verbose": 0}
TURNS = [2.0, 0.5, 0.4, 0.5, 0.6, 0.7]
SLOW = [2.0 - 0.01 * epoch for epoch in range(20)]


@pytest.fixture(scope="module")
def model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse")
    model.fit(X, Y, epochs=1, verbose=0)
    return model


@once
@pytest.mark.parametrize("rate, verdict", [(1e-4, "too small"), (0.05, "good"), (30.0, "diverged")])
def test_the_verdict_is_that_of_the_runs_whatever_the_curve(model, rate, verdict):
    found = diagnose(TURNS, model=model, learning_rate=rate, **DATA, **QUICK)
    assert found.verdict == verdict
    tried = found.experiment
    assert tried.rate == rate and {1.0, 3.0, 1 / 3} <= tried.scores.keys()
    assert tried.updates <= 300 and tried.length == 24 and tried.has_validation
    assert f"{tried.length} updates at 1 × the rate" in found.report()
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["experiment"]["updates"] == tried.updates


@once
def test_where_the_sweep_leaves_no_doubt_there_are_no_runs(model):
    found = diagnose(SLOW, model=model, learning_rate=1e-5, **DATA, **QUICK)
    assert found.verdict == "too small" and found.experiment.scores == {}
    assert found.experiment.updates <= 100 and "no run was made" in found.report()


@once
def test_nothing_of_it_stays_and_its_cost_is_said_first(model, capsys):
    keras.utils.set_random_seed(5)
    before = state_of(model), random.getstate(), np.random.get_state()[1].tolist()
    rate, optimizer = float(model.optimizer.learning_rate), model.optimizer
    history = {"loss": TURNS, "learning_rate": [0.1, 0.08, 0.06, 0.04, 0.02, 0.01]}
    diagnose(history, model=model, **DATA, budget=300)
    assert "at most 300 updates on a fresh copy" in capsys.readouterr().out
    assert_same_bits(state_of(model), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]
    assert model.optimizer is optimizer and float(optimizer.learning_rate) == rate


@once
def test_a_function_that_builds_and_no_validation_data(model):
    def build():
        made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        made.compile("sgd", "mse")
        return made

    found = diagnose(TURNS, model=build, x=X, y=Y, learning_rate=1e-4, unit="update", **QUICK)
    # The last tenth of the rows is held back; the run was of six updates.
    assert found.experiment.has_validation and found.experiment.length == 6
    assert found.verdict == "too small"


@once
def test_a_copy_has_the_settings_and_other_weights(model):
    copy = fresh_copy(model, 0.2)
    assert copy.optimizer.momentum == 0.5 and float(copy.optimizer.learning_rate) == np.float32(0.2)
    assert copy.layers[0] is not model.layers[0] and copy.loss == "mse"


class Uncloneable(keras.Model):
    def __init__(self, width):
        super().__init__()
        self.layer = keras.layers.Dense(width)

    def call(self, x):
        return self.layer(x)


def uncloneable():
    made = Uncloneable(1)
    made.compile("sgd", "mse")
    return made


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"model": "net"}, "`model` must be a compiled Keras model, or a function"),
        ({"model": lambda: 3}, "`model` must be a compiled Keras model, or a function"),
        ({"model": keras.Sequential()}, "`model` must be a compiled Keras model"),
        ({"model": uncloneable()}, "a function without arguments .* Received: Uncloneable"),
        ({"model": None}, "`x` must be left out without a `model`"),
        ({"x": None}, "`x` must be given with a `model`"),
        ({"x": iter([])}, "data that can be read again"),
        ({"learning_rate": 0.0}, "`learning_rate` must be a finite number > 0"),
        ({"budget": 200}, "`budget` must be an integer >= 300"),
        ({"seed": -1}, "`seed` must be an integer >= 0"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_anything(arguments, message):
    arguments = {"model": uncloneable, "learning_rate": 0.1, **DATA, **QUICK, **arguments}
    with pytest.raises(ValueError, match=message):
        diagnose(TURNS, **arguments)


def test_a_rate_that_nobody_knows_is_asked_for():
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    made.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9)), "mse")
    with pytest.raises(ValueError, match="`learning_rate` must be given, where the history has no"):
        diagnose(TURNS, model=made, **DATA, **QUICK)
