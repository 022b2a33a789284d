"""A model whose gradient is exactly 1: under SGD its weight moves by the applied rate, no more.

The layer itself writes down its weight at every training step, because reading `model` in a
callback would change what the JAX trainer does.
"""

import keras
import numpy as np
import pytest
from keras import ops

BATCH = 2

needs_multi_optimizer = pytest.mark.skipif(
    not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras 3.14 has no MultiOptimizer"
)


class Trace(keras.layers.Layer):
    """A single weight, and a log of it by training batch."""

    def __init__(self, capacity=200, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.capacity = capacity

    def build(self, input_shape):
        self.w = self.add_weight(shape=(), initializer="zeros", name="w")
        # Where the model is copied to several devices, each writes down what its own copy did.
        each = {"synchronization": "on_read", "aggregation": "only_first_replica"}
        options = {"initializer": "zeros", "trainable": False, **each}
        self.log = keras.Variable(
            shape=(self.capacity,), dtype=self.variable_dtype, name="log", **options
        )
        self.count = keras.Variable(shape=(), dtype="int32", name="count", **options)

    def call(self, x, training=False):
        if training:
            place = ops.arange(self.capacity, dtype="int32")
            here = ops.cast(ops.equal(place, self.count), self.variable_dtype)
            self.log.assign(self.log * (1.0 - here) + here * ops.stop_gradient(self.w))
            self.count.assign(self.count + 1)
        return ops.zeros_like(x) + self.w


def mean_output(y_true, y_pred):
    # By sample: what a loss has averaged itself, Keras does not divide among several devices.
    return ops.mean(y_pred, axis=-1)


def build(optimizer, layers=1, metrics=(), dtype="float32", **compile_options):
    """Returns a compiled model of parallel traces; its loss is the sum of their weights."""
    inputs = keras.Input((1,))
    outputs = [Trace(name=f"trace_{i}", dtype=dtype)(inputs) for i in range(layers)]
    model = keras.Model(inputs, ops.sum(ops.stack(outputs), axis=0) if layers > 1 else outputs[0])
    model.compile(optimizer, mean_output, metrics=list(metrics), **compile_options)
    return model


def batches(count):
    """Returns x and y of `count` batches."""
    return np.zeros((count * BATCH, 1), "float32"), np.zeros((count * BATCH, 1), "float32")


def fit(model, per_epoch, epochs=1, callbacks=(), **options):
    x, y = batches(per_epoch)
    options = {"batch_size": BATCH, "verbose": 0, "epochs": epochs, **options}
    return model.fit(x, y, callbacks=list(callbacks), **options)


def applied(model, layer="trace_0"):
    """Returns by how much the weight fell in each training batch so far: the applied rates."""
    trace = model.get_layer(layer)
    return moved(ops.convert_to_numpy(trace.log.value), trace.count, trace.w)


def moved(log, count, weight):
    """Returns by how much a weight fell in each batch that was logged."""
    return -np.diff(np.append(log[: int(count)], float(weight)).astype("float64"))


class Feed(keras.callbacks.Callback):
    """Puts scripted values into the logs, one per epoch; None leaves the metric out."""

    def __init__(self, values, name="loss"):
        super().__init__()
        self.values, self.name = values, name

    def on_epoch_end(self, epoch, logs=None):
        value = self.values[epoch]
        if value is None:
            logs.pop(self.name, None)
        else:
            logs[self.name] = value
