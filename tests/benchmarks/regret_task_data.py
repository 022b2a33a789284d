"""The data of the tasks: functions of a random generator and a number of rows, by their names.

Each returns inputs, targets and perhaps sample weights. Data that scikit-learn bundles have as many
rows as they have. Everything has noise, so that a network that goes on too long forgets the rule.
"""

import numpy as np
from sklearn import datasets


def standard(x):
    return ((x - x.mean(0)) / (x.std(0) + 1e-6)).astype("float32")


def column(y):
    return np.asarray(y, "float32").reshape(len(y), -1)


def _rule(seed, d, hidden=12):
    """Returns a fixed smooth function of d inputs, with variance about 1."""
    rng = np.random.default_rng(seed)
    first, last = rng.normal(size=(d, hidden)) * 2 / np.sqrt(d), rng.normal(size=hidden)
    return lambda x: np.tanh(x @ first) @ last / np.sqrt(hidden) * 1.5


def _teacher(rng, n, d=16, noise=0.4, seed=1):
    x = rng.normal(size=(n, d)).astype("float32")
    return x, column(_rule(seed, d)(x) + noise * rng.normal(size=n))


def _digits(rng, n):
    x, y = datasets.load_digits(return_X_y=True)
    return (x / 16.0).astype("float32"), y.astype("int32")


def _cancer(rng, n):
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return standard(x), column(y)


def _classes(rng, n, classes=5, noise=0.1, d=20):
    """Classes of a fixed rule; a share of the labels says nothing."""
    x = rng.normal(size=(n, d)).astype("float32")
    scores = np.stack([_rule(10 + c, d, 6)(x) for c in range(classes)], 1)
    wrong = rng.random(n) < noise
    return x, np.where(wrong, rng.integers(classes, size=n), scores.argmax(1)).astype("int32")


def _friedman(rng, n):
    x, y = datasets.make_friedman1(n, noise=1.5, random_state=int(rng.integers(1000)))
    return x.astype("float32"), column((y - 14.4) / 5.0)


def _diabetes(rng, n):
    x, y = datasets.load_diabetes(return_X_y=True)
    return standard(x), column((y - y.mean()) / y.std())


def _wine(rng, n):
    x, y = datasets.load_wine(return_X_y=True)
    return standard(x), y.astype("int32")


# Raw inputs and raw targets.


def _bright_digits(rng, n):
    x, y = _digits(rng, n)
    return 255.0 * x, y


def _raw_wine(rng, n):
    x, y = datasets.load_wine(return_X_y=True)
    return x.astype("float32"), y.astype("int32")


def _raw_cancer(rng, n):
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return x.astype("float32"), column(y)


def _people(rng, n):
    """Age, income, share of savings, children, distance: all in units of their own."""
    z = rng.normal(size=(n, 5)).astype("float32")
    x = z * [15.0, 800.0, 0.1, 1.2, 40.0] + [45.0, 2500.0, 0.2, 1.5, 60.0]
    return x.astype("float32"), column(_rule(31, 5)(z) + 0.3 * rng.normal(size=n))


def _progression(rng, n):
    x, y = datasets.load_diabetes(return_X_y=True)
    return standard(x), column(y)


def _prices(rng, n):
    x, y = _teacher(rng, n, 12, seed=32)
    return x, 2500.0 + 900.0 * y


def _centred_prices(rng, n):
    x, y = _teacher(rng, n, 12, seed=33)
    return x, 150.0 * y


def _offset_teacher(rng, n):
    x, y = _teacher(rng, n, 10, 0.2, seed=34)
    return x, 50.0 + y


def _offset_diabetes(rng, n):
    x, y = _diabetes(rng, n)
    return x, 50.0 + 5.0 * y


def _offset_friedman(rng, n):
    x, y = _friedman(rng, n)
    return x, 2.0 * y - 50.0


# Embeddings, counts and tokens.


def _ratings(rng, n, users=100, items=60, seed=41):
    fixed = np.random.default_rng(seed)
    left, right = fixed.normal(size=(users, 3)), fixed.normal(size=(items, 3))
    x = np.stack([rng.integers(users, size=n), rng.integers(items, size=n)], 1).astype("int32")
    y = np.sum(left[x[:, 0]] * right[x[:, 1]], 1) / 1.7 + 0.4 * rng.normal(size=n)
    return x, column(y)


def _clicks(rng, n):
    x, y = _ratings(rng, n, 50, 80, 42)
    return x, (y > 0.6).astype("float32")


def _chains(rng, n, tokens=12, length=11, seed=43):
    """Returns sequences of a fixed Markov chain of tokens."""
    chain = np.random.default_rng(seed).dirichlet(np.full(tokens, 0.25), size=tokens).cumsum(1)
    rows = np.zeros((n, length), "int32")
    rows[:, 0] = rng.integers(tokens, size=n)
    for t in range(1, length):
        rows[:, t] = (chain[rows[:, t - 1]] < rng.random((n, 1))).sum(1).clip(0, tokens - 1)
    return rows


def _word_pairs(rng, n):
    rows = _chains(rng, n, 30, 4, 44)
    return rows[:, [0, 1, 3]], rows[:, 2]


def _markov(rng, n):
    rows = _chains(rng, n)
    return rows[:, :-1], rows[:, 1:]


def _topics(rng, n, words=200, topics=4, length=25):
    """Documents as counts of words; each has a main topic and some of the others."""
    fixed = np.random.default_rng(45).dirichlet(np.full(words, 0.1), size=topics)
    y = rng.integers(topics, size=n)
    share = 0.45 * np.eye(topics)[y] + 0.55 * rng.dirichlet(np.ones(topics), size=n)
    x = np.stack([rng.multinomial(length, p / p.sum()) for p in share @ fixed])
    return x.astype("float32"), y.astype("int32")


def _sentiment(rng, n, words=250):
    fixed = np.random.default_rng(46)
    weight, often = fixed.normal(size=words), fixed.dirichlet(np.full(words, 0.3))
    x = rng.multinomial(20, often, size=n)
    odds = x @ weight * 0.6 + rng.logistic(size=n)
    return x.astype("float32"), column(odds > 0)


def _visits(rng, n, words=150):
    fixed = np.random.default_rng(47)
    weight = fixed.normal(size=words) * (fixed.random(words) < 0.3)
    x = rng.poisson(0.15, size=(n, words))
    return x.astype("float32"), column(rng.poisson(np.exp(0.3 + 0.35 * x @ weight)))


# Noise, imbalance, heavy tails.


def _mislabelled_digits(rng, n):
    x, y = _digits(rng, n)
    return x, np.where(rng.random(len(y)) < 0.3, rng.integers(10, size=len(y)), y).astype("int32")


def _flipped_moons(rng, n):
    x, y = datasets.make_moons(n, noise=0.15, random_state=int(rng.integers(1000)))
    return x.astype("float32"), column(np.where(rng.random(n) < 0.2, 1 - y, y))


def _guessed_classes(rng, n):
    return _classes(rng, n, 4, 0.4, 12)


def _balanced(y):
    """Returns weights with which every class counts as much, as sample weights."""
    codes = y.ravel().astype(int)
    counts = np.bincount(codes)
    return (len(codes) / (len(counts) * counts))[codes].astype("float32")


def _rare(rng, n):
    x = rng.normal(size=(n, 12)).astype("float32")
    y = column(_rule(51, 12)(x) + 0.4 * rng.normal(size=n) > 1.8)
    return x, y, _balanced(y)


def _eights(rng, n):
    x, y = _digits(rng, n)
    x = x + 0.2 * rng.normal(size=x.shape).astype("float32")
    y = column(y == 8)
    return x, y, _balanced(y)


def _skewed_classes(rng, n):
    x, y = _classes(rng, 6 * n, 4, 0.1, 12)
    kept = np.argsort(rng.random(6 * n) / np.array([1.0, 0.4, 0.15, 0.05])[y])[:n]
    return x[kept], y[kept], _balanced(y[kept])


def _fraud(rng, n):
    return _rare(rng, n)[:2]


def _one_hot_digits(rng, n):
    x, y = _digits(rng, n)
    return x + 0.3 * rng.normal(size=x.shape).astype("float32"), np.eye(10, dtype="float32")[y]


def _rings(rng, n):
    x, y = datasets.make_circles(n, noise=0.15, factor=0.5, random_state=int(rng.integers(1000)))
    kept = np.argsort((y == 1) * (rng.random(n) < 0.6), kind="stable")
    x = np.concatenate([x, rng.normal(size=(n, 3))], 1)[kept]
    return x.astype("float32"), column(y[kept])


def _heavy_tails(rng, n, df=2.5):
    x, y = _teacher(rng, n, 10, 0.0, seed=52)
    return x, y + column(0.3 * rng.standard_t(df, size=n))


def _heavier_tails(rng, n):
    return _heavy_tails(rng, n, 1.5)


def _heavy_diabetes(rng, n):
    x, y = _diabetes(rng, n)
    return x, y + column(0.3 * rng.standard_t(1.5, size=len(y)))


def _uneven(rng, n):
    """The spread of the targets depends on the inputs."""
    x = rng.uniform(-1, 1, size=(n, 6)).astype("float32")
    spread = 0.1 + 0.8 * np.abs(x[:, 1])
    return x, column(_rule(53, 6)(2 * x) + spread * rng.normal(size=n))


# Plateaus.


def _parity(rng, n, bits=8):
    x = rng.integers(2, size=(n, bits))
    y = x[:, :3].sum(1) % 2
    y = np.where(rng.random(n) < 0.05, 1 - y, y)
    return (2.0 * x - 1.0).astype("float32"), column(y)


def _spirals(rng, n):
    y, t = rng.integers(2, size=n), np.sqrt(rng.random(n)) * 7.0
    angle = t + np.pi * y
    x = np.stack([t * np.cos(angle), t * np.sin(angle)], 1) / 4.0 + 0.07 * rng.normal(size=(n, 2))
    return x.astype("float32"), column(y)


def _product(rng, n):
    x = rng.normal(size=(n, 6)).astype("float32")
    return x, column(x[:, 0] * x[:, 1] + 0.3 * rng.normal(size=n))


DATA = {name[1:]: f for name, f in list(globals().items()) if name[0] == "_" and name[1].isalpha()}
