"""Every kind of data, to the end and with an error at some step: all is as before, to the byte."""

import keras
import numpy as np
import pytest
from support.range_tests import KINDS, X, Y, assert_same, attributes, state
from support.tiers import cells

from keras_lr.finder import range_test, sweep

WEIGHTS = np.linspace(0.5, 1.5, len(X)).astype("float32")
MORE = {
    "a dictionary and several outputs": {
        "x": {"one": X, "two": -X},
        "y": {"first": Y, "second": Y},
    },
    "sample weights": {"x": X, "y": Y, "sample_weight": WEIGHTS},
    "validation data": {"x": X, "y": Y, "validation_data": (X, Y)},
    "the loss after the update": {"x": X, "y": Y, "after_update": True},
    "several sweeps and runs": {"x": X, "y": Y, "repeats": 2, "verify": 1, "start": 1e-4},
}


class Interrupted(Exception):
    """Raised at a step of the sweep."""


def data(kind):
    if kind in MORE:
        return dict(MORE[kind])
    x, y = KINDS[kind]()
    return {"x": x, "y": y}


def network(kind):
    keras.utils.set_random_seed(2)
    one = keras.Input((3,), name="one")
    inside = keras.layers.Dropout(0.3)(keras.layers.BatchNormalization()(one))
    first = keras.layers.Dense(1, name="first")(inside)
    if kind == "a dictionary and several outputs":
        two = keras.Input((3,), name="two")
        second = keras.layers.Dense(1, name="second")(keras.layers.Add()([inside, two]))
        model = keras.Model({"one": one, "two": two}, {"first": first, "second": second})
        model.compile("adam", {"first": "mse", "second": "mae"})
    else:
        model = keras.Model(one, first)
        model.compile("adam", "mse", metrics=["mae"], weighted_metrics=["mse"])
    return model


# One of arrays, one that is read by threads, and what only a range test has.
QUICK = ["arrays", "PyDataset with workers", *list(MORE)[2:]]


@pytest.mark.parametrize("kind", cells([*KINDS, *MORE], QUICK))
def test_everything_is_as_before(kind, monkeypatch):
    model, given = network(kind), data(kind)
    # Slots and counters that are not those of a new optimizer.
    first = given if kind in MORE else {"x": X, "y": Y}
    model.train_on_batch(first["x"], first["y"])
    before, held = state(model), attributes(model)
    # A quarter of the data: a last batch of another size would be one more compilation.
    options = {"batch_size": len(X) // 4, "num_steps": 10, "verbose": 0}
    assert len(range_test(model, **options, **given).losses) >= 5
    assert_same(before, state(model))
    at = int(np.random.default_rng(len(kind)).integers(1, 8))

    def raising(update, loss, over):
        if update == at:
            raise Interrupted

    monkeypatch.setattr(sweep, "progress", lambda *arguments: raising)
    with pytest.raises(Interrupted, match="^$"):
        range_test(model, **options, **data(kind))
    assert_same(before, state(model))
    assert held == attributes(model)
