"""A small model with BatchNorm, the data it learns, and what goes wrong, to compare to the bit."""

import keras
import numpy as np

from keras_lr import callbacks
from keras_lr.keras_private.live_variables import own_variables

EPOCH = np.random.default_rng(3).normal(size=(16, 3)).astype("float32")


def network(optimizer, is_built=True, **options):
    """Returns a small model with BatchNorm, the same every time."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers] if is_built else layers)
    model.compile(optimizer, "mse", **options)
    return model


def train(model, epochs, used=(), rows=slice(None), **options):
    """Trains on 4 batches per epoch, or on those of some rows of the data."""
    x = EPOCH[rows]
    options = {"epochs": epochs, "batch_size": 4, "shuffle": False, "verbose": 0, **options}
    return model.fit(x, x.sum(axis=1, keepdims=True), callbacks=[*used], **options)


def state_of(model):
    """Returns all weights and the optimizer's own variables but its rate, as arrays."""
    variables = [v for v in own_variables(model.optimizer) if "learning_rate" not in v.path]
    return [np.array(keras.ops.convert_to_numpy(v)) for v in [*model.weights, *variables]]


def assert_same_bits(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        np.testing.assert_array_equal(a, b)


class Watch(keras.callbacks.Callback):
    """Notes the model at the end of every epoch and at the begin of the next."""

    def on_train_begin(self, logs=None):
        self.ends, self.begins = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.begins.append(state_of(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(state_of(self.model))


def adam(rate):
    return keras.optimizers.Adam(rate)


def set_rate(model, rate):
    """Writes a rate, or a schedule where the next training step sees it."""
    model.optimizer.learning_rate = rate
    if not isinstance(rate, float):
        model.make_train_function(force=True)


class At(keras.callbacks.Callback):
    """Does something to the model before one batch, counted from the begin of the fit."""

    def __init__(self, batch, action):
        super().__init__()
        self.batch, self.action = batch, action

    def on_train_begin(self, logs=None):
        self.count = 0

    def on_train_batch_begin(self, batch, logs=None):
        if self.count == self.batch:
            self.action(self.model)
        self.count += 1


class AfterEpoch(keras.callbacks.Callback):
    """Does something to the model at the end of one epoch."""

    def __init__(self, epoch, action):
        super().__init__()
        self.epoch, self.action = epoch, action

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            self.action(self.model)


def poison(model):
    """Makes the first kernel NaN."""
    model.layers[0].kernel.assign(np.full((3, 4), np.nan))


def recovery(*args, **options):
    return callbacks.RecoverFromDivergence(*args, **{"verbose": 0, **options})
