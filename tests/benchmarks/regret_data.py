"""The data of the cells: each a function of a random generator that returns inputs and targets."""

import numpy as np
from sklearn import datasets


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
