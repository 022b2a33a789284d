"""A small task for comparisons: a model with every kind of state, and data in three parts."""

import random
import threading
import time

import keras
import numpy as np

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4)).astype("float32")
Y = (X @ RNG.normal(size=(4, 1)) + 0.3 * RNG.normal(size=(80, 1))).astype("float32")
DATA = {
    "train": (X[:40], Y[:40]),
    "validation": (X[40:60], Y[40:60]),
    "test": (X[60:], Y[60:]),
}
EPOCHS, BATCH_SIZE = 3, 8
UPDATES = 15


def build_model(seed, rate=0.125, optimizer=keras.optimizers.SGD, **options):
    """Returns a model with statistics, dropout and momentum."""
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(6, activation="relu"), keras.layers.BatchNormalization()]
    layers += [keras.layers.Dropout(0.2), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(optimizer(rate, momentum=0.9, **options), "mse", metrics=["mae"])
    return model


def build_linear(seed):
    """Returns a model of five weights: the cheapest to compile."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.125), "mse", metrics=["mae"])
    return model


class Killer(keras.callbacks.Callback):
    """Ends the process it is in, without a word, as the system does when memory is short."""

    def on_train_begin(self, logs=None):
        import os

        os._exit(9)


def killing_above(rate):
    """Returns a function of the peak whose callback kills its process at rates above `rate`."""

    def make(peak):
        return Killer() if peak > rate else keras.callbacks.TerminateOnNaN()

    return make


def draw_beside():
    """Has threads of this process draw from Python's and NumPy's global generators all the time."""

    def draw(once):
        while True:
            once()
            time.sleep(1e-4)

    for once in (random.random, np.random.random):
        threading.Thread(target=draw, args=(once,), daemon=True).start()
