"""Dense networks in NumPy, many copies side by side: forward, backward, losses and optimizers.

The first axis of everything is the copies. All weights of a copy are one row of one array.
"""

import numpy as np

_MOMENTUM, _SMALL = 0.9, 1e-3


def _swish(x):
    s = 1.0 / (1.0 + np.exp(-x))
    return x * s, s * (1.0 + x * (1.0 - s))


def _elu(x):
    below = np.exp(np.minimum(x, 0.0))
    return np.where(x > 0, x, below - 1.0), np.where(x > 0, 1.0, below)


def _tanh(x):
    y = np.tanh(x)
    return y, 1.0 - y * y


# Each returns the values and the slopes.
_ACTIVATIONS = {
    "relu": lambda x: (np.maximum(x, 0.0), (x > 0).astype("float32")),
    "tanh": _tanh,
    "swish": _swish,
    "elu": _elu,
}


class Network:
    """Copies of one network, all with the same first weights, drawn as `glorot_uniform` does.

    After each hidden product may come a norm without parameters of its own, by batch or by row,
    then the activation and dropout.
    """

    def __init__(self, inputs, outputs, widths, activation, norm, dropped, copies, rng):
        self._activation, self._norm, self._dropped = _ACTIVATIONS[activation], norm, dropped
        sizes = [inputs, *widths, outputs]
        first = []
        for below, above in zip(sizes, sizes[1:]):
            reach = np.sqrt(6.0 / (below + above))
            first += [rng.uniform(-reach, reach, below * above), np.zeros(above)]
        self.weights = np.tile(np.concatenate(first).astype("float32"), (copies, 1))
        self._slopes = np.zeros_like(self.weights)
        self._layers = list(self._views(self.weights, sizes))
        self._slopes_of_layers = list(self._views(self._slopes, sizes))
        self._moving = [
            [np.zeros((copies, 1, w), "float32"), np.ones((copies, 1, w), "float32")]
            for w in widths
        ]

    @staticmethod
    def _views(flat, sizes):
        at = 0
        for below, above in zip(sizes, sizes[1:]):
            kernel = flat[:, at : at + below * above].reshape(len(flat), below, above)
            at += below * above + above
            yield kernel, flat[:, None, at - above : at]

    def forward(self, x, rng=None):
        """Returns the outputs; what is kept for `backward` is of training, where `rng` is given."""
        self._seen, value = [], np.broadcast_to(x, (len(self.weights), *x.shape))
        for (kernel, bias), moving in zip(self._layers, self._moving):
            below, value = value, value @ kernel + bias
            value, normal = self._normalized(value, moving, rng is not None)
            value, slope = self._activation(value)
            if self._dropped and rng is not None:
                kept = (rng.random(value.shape[1:]) >= self._dropped) / (1.0 - self._dropped)
                value, slope = value * kept.astype("float32"), slope * kept.astype("float32")
            self._seen.append((below, slope, normal))
        self._last = value
        kernel, bias = self._layers[-1]
        return value @ kernel + bias

    def _normalized(self, value, moving, training):
        """Returns the normalized values and what their slopes need: axis, values and deviation."""
        if not self._norm:
            return value, None
        axis = 1 if self._norm == "batch" else 2
        mean, variance = value.mean(axis, keepdims=True), value.var(axis, keepdims=True)
        if axis == 1 and training:
            for old, new in zip(moving, (mean, variance)):
                old *= _MOMENTUM
                old += (1.0 - _MOMENTUM) * new
        elif axis == 1:
            mean, variance = moving
        deviation = np.sqrt(variance + _SMALL)
        value = (value - mean) / deviation
        return value, (axis, value, deviation)

    def backward(self, slope):
        """Returns the slopes of the weights, from those of the outputs."""
        for i in range(len(self._layers) - 1, -1, -1):
            if i < len(self._seen):
                below, of_activation, normal = self._seen[i]
                slope = slope * of_activation
                if normal is not None:
                    axis, value, deviation = normal
                    along = (slope * value).mean(axis, keepdims=True)
                    slope = slope - slope.mean(axis, keepdims=True) - value * along
                    slope = slope / deviation
            else:
                below = self._last
            kernel, bias = self._slopes_of_layers[i]
            np.matmul(below.transpose(0, 2, 1), slope, out=kernel)
            bias[:] = slope.sum(1, keepdims=True)
            if i:
                slope = slope @ self._layers[i][0].transpose(0, 2, 1)
        return self._slopes


# Losses: each returns the mean of every copy and the slopes of the outputs.


def _of_errors(of_error):
    def loss(outputs, y):
        value, slope = of_error(outputs - y)
        size = outputs.shape[1] * outputs.shape[2]
        return value.mean((1, 2)), (slope / size).astype("float32")

    return loss


def _classes(outputs, y):
    z = outputs - outputs.max(2, keepdims=True)
    logs = z - np.log(np.exp(z).sum(2, keepdims=True))
    rows = np.arange(len(y))
    slope = np.exp(logs)
    slope[:, rows, y] -= 1.0
    return -logs[:, rows, y].mean(1), slope / np.float32(len(y))


def _binary(outputs, y):
    value = np.maximum(outputs, 0.0) - outputs * y + np.log1p(np.exp(-np.abs(outputs)))
    slope = 1.0 / (1.0 + np.exp(-outputs)) - y
    return value.mean((1, 2)), slope / np.float32(len(y))


def _poisson(outputs, y):
    mean = np.logaddexp(outputs, np.float32(0.0)) + np.float32(1e-7)
    value = mean - y * np.log(mean)
    slope = (1.0 - y / mean) / (1.0 + np.exp(-outputs))
    return value.mean((1, 2)), slope / np.float32(len(y))


_LOSSES = {
    "mse": _of_errors(lambda e: (e * e, 2.0 * e)),
    "mae": _of_errors(lambda e: (np.abs(e), np.sign(e))),
    "huber": _of_errors(
        lambda e: (np.where(np.abs(e) < 1, e * e / 2, np.abs(e) - 0.5), np.clip(e, -1, 1))
    ),
    "pinball9": _of_errors(
        lambda e: (
            np.maximum(-0.9 * e, 0.1 * e),
            np.where(e < 0, np.float32(-0.9), np.float32(0.1)),
        )
    ),
    "classes": _classes,
    "binary": _binary,
    "poisson": _poisson,
}


def loss_of(name):
    """Returns the loss of that name."""
    return _LOSSES[name]


def constant_loss(loss_at, y, other, outputs):
    """Returns the loss on `other` of the constant answer that is best on `y`, of a few."""
    if y.dtype.kind == "i":
        answers = [np.log(np.bincount(y, minlength=outputs) + 1e-3)]
    else:
        inside = np.clip(y.mean(0), 1e-3, None)
        answers = [*np.quantile(y, np.linspace(0.05, 0.95, 19), axis=0), y.mean(0)]
        # As logits of a share, and as what softplus makes of a number.
        answers += [np.log(inside / np.maximum(1.0 - inside, 1e-3)), np.log(np.expm1(inside))]
    full = [np.broadcast_to(a, (1, 1, outputs)).astype("float32") for a in answers]
    best = min(full, key=lambda a: loss_at(np.repeat(a, len(y), 1), y)[0][0])
    return loss_at(np.repeat(best, len(other), 1), other)[0][0]


# Optimizers, as Keras has them: tests/diagnosis/test_drawn_training.py
OPTIMIZERS = "SGD", "momentum", "nesterov", "Adam", "AdamW", "RMSprop", "Adagrad", "Lion"


def optimizer_of(name, weights):
    """Returns a function of slopes and rates that moves the weights in place."""
    m, v, t = np.zeros_like(weights), np.zeros_like(weights), [0]
    if name == "Adagrad":
        v += 0.1

    def descent(g, rate):
        m[:] = (0.0 if name == "SGD" else 0.9) * m - rate * g
        weights[:] += 0.9 * m - rate * g if name == "nesterov" else m

    def adam(g, rate):
        t[0] += 1
        m[:] += 0.1 * (g - m)
        v[:] += np.float32(0.001) * (g * g - v)
        if name == "AdamW":
            weights[:] -= weights * np.float32(0.004) * rate
        step = rate * np.float32(np.sqrt(1.0 - 0.999 ** t[0]) / (1.0 - 0.9 ** t[0]))
        weights[:] -= step * m / (np.sqrt(v) + np.float32(1e-7))

    def rmsprop(g, rate):
        v[:] += np.float32(0.1) * (g * g - v)
        weights[:] -= rate * g / np.sqrt(v + np.float32(1e-7))

    def adagrad(g, rate):
        v[:] += g * g
        weights[:] -= rate * g / np.sqrt(v + np.float32(1e-7))

    def lion(g, rate):
        weights[:] -= rate * np.sign(0.9 * m + 0.1 * g)
        m[:] += 0.01 * (g - m)

    steps = descent, descent, descent, adam, adam, rmsprop, adagrad, lion
    return dict(zip(OPTIMIZERS, steps))[name]
