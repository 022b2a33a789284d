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
from sklearn import datasets

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


def _standard(x):
    return ((x - x.mean(0)) / (x.std(0) + 1e-6)).astype("float32")


def _column(y):
    return np.asarray(y, "float32").reshape(len(y), -1)


def _teacher(rng, n=1500, d=20, noise=0.3):
    x = rng.normal(size=(n, d)).astype("float32")
    hidden = np.tanh(x @ rng.normal(size=(d, 12)) / np.sqrt(d) * 2)
    return x, _column(hidden @ rng.normal(size=12) + noise * rng.normal(size=n))


def _digits(rng):
    x, y = datasets.load_digits(return_X_y=True)
    return (x / 16.0).astype("float32"), y


def _raw_digits(rng):
    x, y = datasets.load_digits(return_X_y=True)
    return x.astype("float32"), y


def _cancer(rng):
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return _standard(x), _column(y)


def _moons(rng):
    x, y = datasets.make_moons(1000, noise=0.2, random_state=1)
    return x.astype("float32"), _column(y)


def _poisson_counts(rng):
    x = rng.normal(size=(1200, 10)).astype("float32")
    return x, _column(rng.poisson(np.exp(0.4 * x @ rng.normal(size=10) / 2 + 0.5)))


def _sines(rng):
    phase, speed = rng.uniform(0, 6.28, (1000, 1)), rng.uniform(0.2, 0.9, (1000, 1))
    wave = np.sin(phase + speed * np.arange(17)) + 0.1 * rng.normal(size=(1000, 17))
    return wave[:, :16, None].astype("float32"), _column(wave[:, 16])


def _markov(rng):
    chain = rng.dirichlet(np.full(16, 0.2), size=16)
    rows = np.zeros((800, 13), int)
    rows[:, 0] = rng.integers(16, size=800)
    for t in range(1, 13):
        rows[:, t] = [rng.choice(16, p=chain[s]) for s in rows[:, t - 1]]
    return rows[:, :-1].astype("int32"), rows[:, 1:]


def _ratings(rng, users=120, items=80, n=4000):
    left, right = rng.normal(size=(users, 3)), rng.normal(size=(items, 3))
    pairs = np.stack([rng.integers(users, size=n), rng.integers(items, size=n)], 1)
    y = np.sum(left[pairs[:, 0]] * right[pairs[:, 1]], 1) / 1.7 + 0.2 * rng.normal(size=n)
    return pairs.astype("int32"), _column(y)


def _clicks(rng):
    pairs, y = _ratings(rng, 60, 150, 3000)
    return pairs, (y > 0.5).astype("float32")


def _reconstruction(rng):
    x, _ = _digits(rng)
    return x, x


def _patches(rng):
    image = datasets.load_sample_image("china.jpg").astype("float32") / 255.0
    rows, columns = rng.integers(400, size=1500), rng.integers(600, size=1500)
    x = np.stack([image[r : r + 6, c : c + 6].mean(-1).ravel() for r, c in zip(rows, columns)])
    return x + 0.05 * rng.normal(size=x.shape).astype("float32"), x


def _wine(rng):
    x, y = datasets.load_wine(return_X_y=True)
    return _standard(x), y


def _iris(rng):
    x, y = datasets.load_iris(return_X_y=True)
    return x.astype("float32"), y


def _diabetes(rng):
    x, y = datasets.load_diabetes(return_X_y=True)
    return _standard(x), _column((y - y.mean()) / y.std())


def _raw_diabetes(rng):
    x, y = datasets.load_diabetes(return_X_y=True)
    return _standard(x), _column(y / 50.0)


def _friedman(rng):
    x, y = datasets.make_friedman1(1200, noise=1.0, random_state=2)
    return x.astype("float32"), _column((y - y.mean()) / y.std())


def _blobs(rng):
    x, y = datasets.make_classification(
        1500, 25, n_informative=10, n_classes=5, flip_y=0.15, random_state=3
    )
    return x.astype("float32"), y


def _circles(rng):
    x, y = datasets.make_circles(800, noise=0.1, factor=0.6, random_state=4)
    return x.astype("float32"), _column(y)


def _stripes(rng):
    angle, phase = rng.integers(4, size=1200), rng.uniform(0, 6.28, (1200, 1, 1))
    a, b = np.cos(angle * np.pi / 4), np.sin(angle * np.pi / 4)
    i, j = np.mgrid[:10, :10]
    wave = np.sin(a[:, None, None] * i + b[:, None, None] * j + phase)
    return (wave + 0.8 * rng.normal(size=wave.shape)).reshape(1200, 100).astype("float32"), angle


def _counting(rng):
    x = (rng.random((1200, 12, 3)) < 0.3).astype("float32")
    return x, _column(x[:, :, 0].sum(1) - x[:, :, 1].sum(1))


def _text(rng):
    text = datasets.load_iris().DESCR + datasets.load_wine().DESCR
    letters = {c: i for i, c in enumerate(sorted(set(text)))}
    codes = np.array([letters[c] for c in text])
    rows = codes[np.arange(0, len(codes) - 17, 5)[:, None] + np.arange(17)]
    return rows[:, :-1].astype("int32"), rows[:, 1:]


def _visits(rng):
    x, _ = datasets.load_diabetes(return_X_y=True)
    x = _standard(x)
    return x, _column(rng.poisson(np.exp(0.5 + 0.3 * np.tanh(x[:, 2] + x[:, 8]))))


DATA = {f.__name__[1:]: f for f in (
    _teacher, _digits, _raw_digits, _cancer, _moons, _poisson_counts, _sines, _markov, _ratings,
    _reconstruction, _clicks, _patches, _wine, _iris, _diabetes, _raw_diabetes, _friedman, _blobs,
    _circles, _stripes, _counting, _text, _visits,
)}  # fmt: skip


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
