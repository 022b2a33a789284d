"""The data of the tasks that have a shape of their own: sequences, images, related tasks, pairs."""

import numpy as np
from regret_task_data import DATA, column, standard
from sklearn import datasets

_classes, _digits, _teacher, _chains = (
    DATA[name] for name in ("classes", "digits", "teacher", "chains")
)


def _sines(rng, n, length=11, low=0.3, high=1.2):
    phase, speed = rng.uniform(0, 6.28, (n, 1)), rng.uniform(low, high, (n, 1))
    wave = np.sin(phase + speed * np.arange(length)) + 0.2 * rng.normal(size=(n, length))
    return wave[:, :-1, None].astype("float32"), column(wave[:, -1])


def _counting(rng, n, length=10, noise=0.3):
    x = (rng.random((n, length, 3)) < 0.3).astype("float32")
    y = x[:, :, 0].sum(1) - x[:, :, 1].sum(1) * (x[:, 0, 2] + 0.5)
    return x, column(y + noise * rng.normal(size=n))


def _letters(rng, n, length=11):
    text = "".join(
        getattr(datasets, f"load_{name}")().DESCR
        for name in ("iris", "wine", "diabetes", "digits", "breast_cancer")
    ).lower()
    codes = {c: i for i, c in enumerate(sorted(set(text)))}
    text = np.array([codes[c] for c in text])
    rows = text[: len(text) // length * length].reshape(-1, length).astype("int32")
    return rows[:, :-1], rows[:, 1:]


def _lookup(rng, n, keys=6):
    """Four pairs of a key and a value, each a token, then a key: which value had it?"""
    found = rng.permuted(np.tile(np.arange(keys), (n, 1)), axis=1)[:, :4]
    values, asked = rng.integers(4, size=(n, 4)), rng.integers(4, size=n)
    x = np.zeros((n, 5), "int32")
    x[:, :4], x[:, 4] = 4 * found + values, 4 * keys + found[np.arange(n), asked]
    y = values[np.arange(n), asked]
    return x, np.where(rng.random(n) < 0.05, rng.integers(4, size=n), y).astype("int32")


def _first_token(rng, n, length=9, tokens=4):
    x = rng.integers(tokens, size=(n, length))
    y = np.where(rng.random(n) < 0.1, rng.integers(tokens, size=n), x[:, 0])
    return x.astype("int32"), y.astype("int32")


def _adding(rng, n, length=10):
    x = np.zeros((n, length, 2), "float32")
    x[:, :, 0] = rng.uniform(-1, 1, size=(n, length))
    half = length // 2
    x[np.arange(n), rng.integers(half, size=n), 1] = 1.0
    x[np.arange(n), half + rng.integers(half, size=n), 1] = 1.0
    return x, column((x[:, :, 0] * x[:, :, 1]).sum(1) + 0.1 * rng.normal(size=n))


def _first_or_last(rng, n, length=10):
    """A switch in the first place says whether the second or the last number counts."""
    x = rng.normal(size=(n, length, 1)).astype("float32")
    x[:, 0, 0] = np.sign(x[:, 0, 0])
    y = np.where(x[:, 0, 0] > 0, x[:, 1, 0], -x[:, -1, 0])
    return x, column(y + 0.2 * rng.normal(size=n))


# What a checkpoint was trained on, and what comes after.


def _low_digits(rng, n):
    x, y = _digits(rng, n)
    return x[y < 5], y[y < 5]


def _high_digits(rng, n):
    x, y = _digits(rng, n)
    return x[y >= 5], y[y >= 5] - 5


def _related_teacher(rng, n):
    x, y = _teacher(rng, n, noise=0.3)
    return x, 0.7 * y + 0.5 * np.tanh(x[:, :4].sum(1, keepdims=True) / 2)


def _clean_teacher(rng, n):
    return _teacher(rng, n, noise=0.1)


def _many_classes(rng, n):
    return _classes(rng, n, 8, 0.0, 8)


def _merged_classes(rng, n):
    x, y = _classes(rng, n, 8, 0.1, 8)
    return x, y // 2


def _turned_digits(rng, n):
    x, y = _digits(rng, n)
    images = x.reshape(-1, 8, 8)
    shifted = np.roll(images, 1, axis=2) * 0.8 + 0.15 * rng.normal(size=images.shape)
    return shifted.reshape(-1, 64).astype("float32"), y


def _faster_sines(rng, n):
    return _sines(rng, n, low=0.9, high=1.6)


def _later_chains(rng, n):
    """The chain of `markov` in three rows of four, another one in the rest."""
    rows = np.where(rng.random((n, 1)) < 0.75, _chains(rng, n), _chains(rng, n, seed=61))
    return rows[:, :-1].astype("int32"), rows[:, 1:].astype("int32")


# Images and pairs.


def _disks(rng, n, side=12):
    i, j = np.mgrid[:side, :side]
    middle, radius = rng.uniform(2, side - 2, (n, 2, 1, 1)), rng.uniform(1.5, 4, (n, 1, 1))
    inside = (i - middle[:, 0]) ** 2 + (j - middle[:, 1]) ** 2 < radius**2
    image = inside * rng.uniform(0.4, 1.0, (n, 1, 1)) + 0.6 * rng.normal(size=inside.shape)
    return image[..., None].astype("float32"), inside[..., None].astype("float32")


def _figures(rng, n):
    """Background, disk and bar: a class per pixel."""
    x, y = _disks(rng, n)
    rows, y = rng.integers(10, size=n), y[..., 0].astype("int32")
    bar = (np.arange(12)[None, :, None] - rows[:, None, None]) // 2 == 0
    bar = np.broadcast_to(bar, y.shape) & (y == 0)
    return x + 0.8 * bar[..., None].astype("float32"), np.where(bar, 2, y).astype("int32")


def _squares(name, side):
    """Cuts a photograph into squares that do not overlap."""
    image = datasets.load_sample_image(name).astype("float32")[:420, :630] / 255.0
    image = image.reshape(420 // side, side, 630 // side, side, 3).swapaxes(1, 2)
    return image.reshape(-1, side, side, 3)


def _reddish(rng, n, side=10):
    """Squares of a photograph, in grain: which pixels are more red than blue without it?"""
    x = rng.permutation(_squares("china.jpg", side))[:n]
    red = x[..., 0] - x[..., 2] > 0.02
    x = x - 0.5 + 0.2 * rng.normal(size=x.shape)
    return x.astype("float32"), red[..., None].astype("float32")


def _pictures(rng, n):
    x, _ = _digits(rng, n)
    return x, x


def _clusters(rng, n):
    centres = np.random.default_rng(62).normal(size=(6, 12))
    x = standard(centres[rng.integers(6, size=n)] + 0.5 * rng.normal(size=(n, 12)))
    return x, x


def _patches(rng, n):
    x = rng.permutation(_squares("flower.jpg", 5).mean(-1))[:n].reshape(-1, 25)
    x = (x - x.mean(1, keepdims=True)) * 8.0
    return x, x


def _digit_and_ink(rng, n):
    x, y = _digits(rng, n)
    x = x + 0.3 * rng.normal(size=x.shape).astype("float32")
    return x, [y, column(16.0 * x.sum(1) / 64.0)]


def _class_and_value(rng, n):
    x, y = _classes(rng, n, 3, 0.1, 16)
    value = column(x[:, 0] * x[:, 1] + np.tanh(2 * x[:, 2]) + 0.3 * rng.normal(size=n))
    return {"left": x[:, :8], "right": x[:, 8:]}, [y, value]


def _two_values(rng, n):
    x, y = _teacher(rng, n, 12, seed=63)
    return x, [y, 20.0 * column(np.abs(x[:, 0]) + 0.2 * rng.normal(size=n))]


DATA = DATA | {
    name[1:]: f for name, f in list(globals().items()) if name[0] == "_" and name[1].isalpha()
}
