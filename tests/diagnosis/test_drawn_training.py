"""The runs in NumPy that the verdict was fitted to move weights as Keras' own optimizers do."""

import keras
import numpy as np
import pytest
from benchmarks.diagnosis_drawn_training import OPTIMIZERS, optimizer_of
from keras import ops

OF_KERAS = {
    "SGD": lambda: keras.optimizers.SGD(),
    "momentum": lambda: keras.optimizers.SGD(momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(momentum=0.9, nesterov=True),
    **{
        name: getattr(keras.optimizers, name)
        for name in ("Adam", "AdamW", "RMSprop", "Adagrad", "Lion")
    },
}


@pytest.mark.parametrize("name", OF_KERAS)
def test_weights_move_as_by_keras(name):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(1, 7)).astype("float32")
    variable, optimizer = keras.Variable(weights[0]), OF_KERAS[name]()
    optimizer.build([variable])
    step, first = optimizer_of(name, weights), weights.copy()
    for update in range(50):
        slopes, rate = rng.normal(scale=3.0, size=(1, 7)).astype("float32"), 0.01 / (1 + update)
        optimizer.learning_rate = rate
        optimizer.apply([ops.array(slopes[0])])
        step(slopes, np.array([[rate]], "float32"))
    np.testing.assert_allclose(ops.convert_to_numpy(variable), weights[0], rtol=1e-5, atol=1e-5)
    assert np.abs(weights - first).max() > 1e-3


def test_all_that_are_drawn_are_compared():
    assert set(OPTIMIZERS) == set(OF_KERAS)
    with pytest.raises(KeyError, match="Nadam"):
        optimizer_of("Nadam", np.zeros((1, 7), "float32"))
