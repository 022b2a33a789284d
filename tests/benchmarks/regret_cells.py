"""The family of tasks on which `range_test_regret.py` measures: data, networks, optimizers.

A cell is one of each, with a batch size and a run length. Cells are split by data **and** network
into a group that rules may be tuned on and one held out: no data set and no network is in both,
and some optimizers and losses are in the second only.
"""

import zlib
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops
from regret_data import DATA

TUNING, HELD_OUT = "tuning", "held out"


@dataclass(frozen=True)
class Cell:
    """One task, trained in one way."""

    group: str
    data: str
    network: str
    loss: str
    optimizer: str
    batch_size: int
    steps: int

    @property
    def name(self):
        parts = self.data, self.network, self.loss, self.optimizer, self.batch_size, self.steps
        return "-".join(map(str, parts))

    def arrays(self):
        """Returns inputs and targets."""
        x, y = DATA[self.data](np.random.default_rng(zlib.crc32(self.data.encode())))
        return x, 2.0 * y - 1.0 if "hinge" in self.loss else y

    def model(self, seed):
        """Returns the compiled model, its weights drawn from `seed`."""
        keras.utils.set_random_seed(seed)
        x, y = self.arrays()
        inputs = keras.Input(x.shape[1:], dtype=x.dtype)
        outputs = NETWORKS[self.network](inputs)
        units = int(y.max()) + 1 if self.loss == "categorical" else int(np.prod(y.shape[1:]))
        if self.network not in SEQUENCE_OUT and len(outputs.shape) > 2:
            outputs = layers.Flatten()(outputs)
        if self.network != "factors":
            outputs = layers.Dense(units)(outputs)
        if self.loss == "poisson":
            outputs = layers.Activation("softplus")(outputs)
        model = keras.Model(inputs, outputs)
        model.compile(OPTIMIZERS[self.optimizer](), LOSSES[self.loss]())
        return model


def _dense(*units, activation="relu", after=None, initializer="glorot_uniform"):
    def build(x):
        x = layers.Flatten()(x)
        for count in units:
            x = layers.Dense(count, kernel_initializer=initializer)(x)
            x = layers.Activation(activation)(after()(x) if after else x)
        return x

    return build


def _residual(x):
    x = layers.Dense(32)(layers.Flatten()(x))
    for _ in range(3):
        x = x + layers.Dense(32)(layers.Dense(64, "relu")(layers.LayerNormalization()(x)))
    return x


def _square(x):
    side = round(x.shape[1] ** 0.5)
    return layers.Reshape((side, side, 1))(x)


def _convolutions(x):
    x = layers.Conv2D(8, 3, activation="relu")(_square(x))
    return layers.Flatten()(layers.Conv2D(12, 3, strides=2, activation="relu")(x))


def _pooled_convolutions(x):
    x = layers.Conv2D(8, 3, padding="same")(_square(x))
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = x + layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    return layers.GlobalAveragePooling2D()(x)


def _attention(x):
    x = layers.Dense(24)(x)
    x = x + layers.MultiHeadAttention(2, 12)(x, x)
    x = x + layers.Dense(24)(layers.Dense(48, "gelu")(layers.LayerNormalization()(x)))
    return x


def _causal_attention(x):
    length = x.shape[1]
    x = layers.Embedding(128, 24)(x)
    places = layers.Embedding(length, 24)(ops.arange(length))
    x = x + places
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(2, 12)(y, y, use_causal_mask=True)
    return x + layers.Dense(24)(layers.Dense(48, "gelu")(layers.LayerNormalization()(x)))


def _factors(x):
    left = layers.Embedding(200, 8)(x[:, 0])
    right = layers.Embedding(200, 8)(x[:, 1])
    return layers.Dot(axes=1)([left, right])


def _embedded_pairs(x):
    both = [layers.Embedding(200, 8)(x[:, i]) for i in range(2)]
    return layers.Dense(24, "relu")(layers.Concatenate()(both))


def _ridge(x):
    # A last layer with weight decay stands before the output, as a bottleneck of 6.
    return layers.Dense(6, kernel_regularizer=keras.regularizers.L2(1e-3))(layers.Flatten()(x))


def _normalization():
    return layers.BatchNormalization(momentum=0.9)


NETWORKS = {
    "linear": layers.Flatten(),
    "relu1": _dense(64),
    "tanh2": _dense(32, 32, activation="tanh"),
    "relu3": _dense(64, 64, 64),
    "batchnorm2": _dense(48, 48, after=_normalization),
    "wide1": _dense(384),
    "bottleneck": _dense(24, 6, 24),
    "cnn": _convolutions,
    "gru": layers.GRU(20),
    "embedded_gru": lambda x: layers.GRU(24, return_sequences=True)(layers.Embedding(64, 16)(x)),
    "factors": _factors,
    "ridge": _ridge,
    "gelu2": _dense(48, 48, activation="gelu"),
    "relu4": _dense(40, 40, 40, 40, initializer="he_normal"),
    "layernorm2": _dense(40, 40, after=layers.LayerNormalization),
    "residual": _residual,
    "narrow": _dense(8, 8, activation="elu"),
    "wide2": _dense(200, 200, activation="swish"),
    "dropout": _dense(96, after=lambda: layers.Dropout(0.3)),
    "pooled_cnn": _pooled_convolutions,
    "lstm": layers.LSTM(16),
    "attention": lambda x: layers.GlobalAveragePooling1D()(_attention(x)),
    "conv1d": lambda x: layers.Flatten()(layers.Conv1D(12, 3, activation="relu")(x)),
    "causal_attention": _causal_attention,
    "embedded_pairs": _embedded_pairs,
}
SEQUENCE_OUT = {"embedded_gru", "causal_attention"}

LOSSES = {
    "categorical": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "binary": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "mse": keras.losses.MeanSquaredError,
    "mae": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
    "hinge": keras.losses.Hinge,
    "poisson": keras.losses.Poisson,
    "squared_hinge": keras.losses.SquaredHinge,
    "log_cosh": keras.losses.LogCosh,
    "focal": lambda: keras.losses.BinaryFocalCrossentropy(from_logits=True),
}

_SEEN = {
    "SGD": lambda: keras.optimizers.SGD(0.01),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "Adam": keras.optimizers.Adam,
    "AdamW": keras.optimizers.AdamW,
    "RMSprop": keras.optimizers.RMSprop,
    "Adagrad": keras.optimizers.Adagrad,
    "Lion": keras.optimizers.Lion,
}
_UNSEEN = {
    "nesterov": lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    "Nadam": keras.optimizers.Nadam,
    "Adamax": keras.optimizers.Adamax,
    "Adadelta": keras.optimizers.Adadelta,
}
OPTIMIZERS = {**_SEEN, **_UNSEEN}

_FLAT = "linear", "relu1", "tanh2", "relu3", "batchnorm2", "wide1"
_FLAT_HELD_OUT = "ridge", "gelu2", "relu4", "layernorm2", "residual", "narrow", "wide2", "dropout"
_TASKS = {
    TUNING: (
        ("digits", ("categorical",), (*_FLAT, "cnn")),
        ("raw_digits", ("categorical",), ("linear", "relu1", "relu3", "batchnorm2")),
        ("cancer", ("binary", "mse", "hinge"), _FLAT),
        ("teacher", ("mse", "mae", "huber"), _FLAT),
        ("moons", ("binary", "hinge"), _FLAT[1:]),
        ("poisson_counts", ("poisson", "mse"), _FLAT),
        ("sines", ("mse", "mae"), ("gru", "relu1", "linear")),
        ("markov", ("categorical",), ("embedded_gru",) * 3),
        ("ratings", ("mse", "huber"), ("factors",) * 3),
        ("reconstruction", ("mse", "binary"), ("bottleneck",) * 3),
    ),
    HELD_OUT: (
        ("wine", ("categorical",), _FLAT_HELD_OUT),
        ("iris", ("categorical",), _FLAT_HELD_OUT[:6]),
        ("diabetes", ("mse", "mae", "huber"), _FLAT_HELD_OUT),
        ("raw_diabetes", ("mse", "mae"), _FLAT_HELD_OUT[:5]),
        ("friedman", ("mse", "log_cosh"), _FLAT_HELD_OUT),
        ("blobs", ("categorical",), _FLAT_HELD_OUT),
        ("circles", ("binary", "squared_hinge"), _FLAT_HELD_OUT[1:]),
        ("stripes", ("categorical",), ("pooled_cnn", "gelu2", "residual", "pooled_cnn")),
        ("counting", ("mse", "log_cosh"), ("lstm", "attention", "conv1d")),
        ("text", ("categorical",), ("causal_attention",) * 4),
        ("clicks", ("binary", "focal"), ("embedded_pairs",) * 4),
        ("patches", ("mse", "mae"), ("narrow", "gelu2", "residual")),
        ("visits", ("poisson", "mse"), _FLAT_HELD_OUT[:6]),
    ),
}


def cells():
    """Returns all cells, in a fixed order in which both groups and all kinds alternate."""
    rng, groups = np.random.default_rng(20), {}
    for group, tasks in _TASKS.items():
        optimizers = list(_SEEN) if group == TUNING else list(OPTIMIZERS)
        found = {}
        for data, losses, networks in tasks:
            for network in networks:
                for optimizer in rng.choice(optimizers, 3, replace=False):
                    slow = any(word in network for word in ("gru", "lstm"))
                    cell = Cell(
                        group, data, network, str(rng.choice(losses)), str(optimizer),
                        int(rng.choice([8, 16, 32] if slow else [8, 16, 32, 64, 128])),
                        int(rng.choice([100, 200] if slow else [100, 200, 300, 600])),
                    )  # fmt: skip
                    found[cell.name] = cell
        groups[group] = rng.permutation(np.array(list(found.values()), dtype=object))
    longest = max(map(len, groups.values()))
    return [g[i] for i in range(longest) for g in groups.values() if i < len(g)]
