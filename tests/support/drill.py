"""A model whose gradients are given, and in NumPy what optimizers make of them.

The rules are the published formulas with a momentum that may change; the layer itself writes down
its weights at every training step.
"""

import keras
import numpy as np
from keras import ops
from support import unit_gradient

UPDATES = 24
MATRIX, BIAS = slice(0, 6), slice(6, 9)
GRADIENTS = np.random.default_rng(5).normal(size=(UPDATES, 9))


class Drill(keras.layers.Layer):
    """A 2 x 3 matrix and a bias whose gradients are the input."""

    def build(self, input_shape):
        def start(shape, dtype=None):
            return ops.cast(0.5 - np.arange(np.prod(shape)).reshape(shape) % 4, dtype)

        self.matrix = self.add_weight(shape=(2, 3), initializer=start, name="matrix")
        self.bias = self.add_weight(shape=(3,), initializer=start, name="bias")
        options = {"initializer": "zeros", "trainable": False}
        self.log = self.add_weight(shape=(UPDATES, 9), name="log", **options)
        self.count = self.add_weight(shape=(), dtype="int32", name="count", **options)

    def call(self, x, training=False):
        now = ops.concatenate([ops.reshape(self.matrix, (6,)), ops.convert_to_tensor(self.bias)])
        if training:
            here = ops.cast(ops.equal(ops.arange(UPDATES), self.count), self.log.dtype)[:, None]
            self.log.assign(self.log * (1 - here) + here * ops.stop_gradient(now))
            self.count.assign(self.count + 1)
        return ops.sum(x * now, axis=-1, keepdims=True)


def drilled(optimizer, *used, **options):
    """Returns the weights after each update of one epoch, `UPDATES` x 9."""
    inputs = keras.Input((9,))
    model = keras.Model(inputs, Drill(name="drill")(inputs))
    model.compile(optimizer, unit_gradient.mean_output, **options)
    model.fit(GRADIENTS, np.zeros((UPDATES, 1)), 1, shuffle=False, verbose=0, callbacks=[*used])
    drill = model.get_layer("drill")
    last = np.concatenate([np.ravel(weight) for weight in model.get_weights()[:2]])
    return np.concatenate([ops.convert_to_numpy(drill.log)[1:], last[None]])


# The rules: from weights, gradient, update, momentum and slots to new weights, at a rate of 0.1.


def sgd(w, g, t, mu, s, nesterov=False):
    s["m"] = mu * s["m"] - 0.1 * g
    return w + (mu * s["m"] - 0.1 * g if nesterov else s["m"])


def rmsprop(w, g, t, mu, s):
    s["v"] = 0.9 * s["v"] + 0.1 * g**2
    s["m"] = mu * s["m"] + 0.1 * g / np.sqrt(s["v"] + 1e-7)
    return w - s["m"]


def adam(w, g, t, mu, s, amsgrad=False, beta_2=0.999):
    s["m"], s["v"] = mu * s["m"] + (1 - mu) * g, beta_2 * s["v"] + (1 - beta_2) * g**2
    s["top"] = np.maximum(s["top"], s["v"])
    v = s["top"] if amsgrad else s["v"]
    alpha = 0.1 * np.sqrt(1 - beta_2 ** (t + 1)) / (1 - mu ** (t + 1))
    return w - alpha * s["m"] / (np.sqrt(v) + 1e-7)


def adamax(w, g, t, mu, s):
    s["m"], s["v"] = mu * s["m"] + (1 - mu) * g, np.maximum(0.999 * s["v"], abs(g))
    return w - 0.1 * s["m"] / ((1 - mu ** (t + 1)) * (s["v"] + 1e-7))


def nadam(w, g, t, mu, s):
    here, ahead = (mu * (1 - 0.5 * 0.96 ** (t + k)) for k in (1, 2))
    s["m"], s["v"] = mu * s["m"] + (1 - mu) * g, 0.999 * s["v"] + 0.001 * g**2
    s["product"] = s["product"] * here
    m = ahead * s["m"] / (1 - s["product"] * ahead) + (1 - here) * g / (1 - s["product"])
    return w - 0.1 * m / (np.sqrt(s["v"] / (1 - 0.999 ** (t + 1))) + 1e-7)


def lamb(w, g, t, mu, s):
    s["m"], s["v"] = mu * s["m"] + (1 - mu) * g, 0.999 * s["v"] + 0.001 * g**2
    m, v = s["m"] / (1 - mu ** (t + 1)), s["v"] / (1 - 0.999 ** (t + 1))
    step = m / (np.sqrt(v) + 1e-7)
    return w - 0.1 * np.linalg.norm(w) / np.linalg.norm(step) * step


def lion(w, g, t, mu, s):
    direction = np.sign(mu * s["m"] + (1 - mu) * g)
    s["m"] = 0.99 * s["m"] + 0.01 * g
    return w - 0.1 * direction


def muon(w, g, t, mu, s):
    if w.size == 3:
        return adam(w, g, t, mu, s)
    s["m"] = mu * s["m"] + g
    x = (g + mu * s["m"]).reshape(2, 3)
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return w - 0.1 * 0.2 * np.sqrt(3) * x.ravel()


def reference(rule, momentum, decay=None, gradients=GRADIENTS, **options):
    """Returns what `drilled` has to, in float64."""
    weights = 0.5 - np.concatenate([np.arange(6) % 4, np.arange(3) % 4])
    slots = [{"m": 0.0, "v": 0.0, "top": 0.0, "product": 1.0} for _ in range(2)]
    course = []
    for t, gradient in enumerate(gradients):
        weights = weights.copy()
        for part, slot in zip((MATRIX, BIAS), slots):
            w = weights[part] * (1 - (decay[t] * 0.1 if decay else 0.0))
            weights[part] = rule(w, gradient[part], t, momentum[t], slot, **options)
        course.append(weights)
    return np.array(course)
