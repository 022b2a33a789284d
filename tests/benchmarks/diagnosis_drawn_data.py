"""The data of drawn tasks: rules and spectra drawn too, so that there are as many as one likes.

Each function takes the generator `fixed`, from which it draws the rule, the same for any rows, then
`rng`, from which it draws the rows, and their number. It returns inputs and targets: numbers in
columns, or classes.
"""

import numpy as np
from regret_task_data import column


def _inputs(fixed, rng, n):
    """Returns inputs whose variances fall as a power, turned at random, and of any scale."""
    d = int(np.exp(fixed.uniform(np.log(3), np.log(48))))
    spread = np.arange(1, d + 1) ** -fixed.uniform(0.0, 1.0)
    turned = np.linalg.qr(fixed.normal(size=(d, d)))[0] * spread / np.sqrt(np.mean(spread**2))
    z = rng.normal(size=(n, d)) @ turned.T
    far = fixed.random() < 0.25
    scale = np.exp(fixed.normal(size=d)) if far else 1.0
    return z, (z * scale + (fixed.normal(size=d) if far else 0.0)).astype("float32")


def _rule(fixed, d, outputs):
    """Returns a hidden network of one layer; the higher its frequency, the harder to learn."""
    hidden, frequency = int(fixed.integers(3, 25)), np.exp(fixed.uniform(-0.7, 1.2))
    first = fixed.normal(size=(d, hidden)) * frequency / np.sqrt(d)
    last = fixed.normal(size=(hidden, outputs)) * 1.5 / np.sqrt(hidden)
    return lambda z: np.tanh(z @ first) @ last


def _values(fixed, rng, n):
    z, x = _inputs(fixed, rng, n)
    clean = _rule(fixed, z.shape[1], 1)(z)[:, 0]
    noise = np.exp(fixed.uniform(np.log(0.03), np.log(1.2)))
    drawn = rng.standard_t(2.5, size=n) if fixed.random() < 0.2 else rng.normal(size=n)
    shift, scale = (0.0, 1.0) if fixed.random() < 0.8 else (3.0, 2.0) * fixed.normal(size=2)
    return x, column(shift + scale * (clean + noise * drawn))


def _mislabelled(fixed, rng, y, count):
    wrong = rng.random(len(y)) < fixed.choice([0.0, 0.03, 0.1, 0.3])
    return np.where(wrong, rng.integers(count, size=len(y)), y).astype("int32")


def _classes(fixed, rng, n):
    z, x = _inputs(fixed, rng, n)
    count = int(fixed.integers(2, 9))
    return x, _mislabelled(fixed, rng, _rule(fixed, z.shape[1], count)(z).argmax(1), count)


def _clusters(fixed, rng, n):
    count, d = int(fixed.integers(3, 11)), int(fixed.integers(4, 33))
    # As many clusters as twice the classes: no plane parts them.
    centres = fixed.normal(size=(2 * count, d)) * fixed.uniform(1.0, 3.0) / np.sqrt(d) * 2.0
    which = rng.integers(2 * count, size=n)
    x = centres[which] + rng.normal(size=(n, d))
    return x.astype("float32"), _mislabelled(fixed, rng, which % count, count)


def _halves(fixed, rng, n):
    z, x = _inputs(fixed, rng, n)
    odds = fixed.uniform(1.0, 8.0) * _rule(fixed, z.shape[1], 1)(z)[:, 0] + fixed.normal()
    return x, column(odds + rng.logistic(size=n) > 0)


def _tokens(fixed, rng, n):
    """Chains of tokens with one left out, which is to be told from the others."""
    count, length = int(fixed.integers(6, 20)), int(fixed.integers(3, 6))
    often = fixed.choice([0.05, 0.15, 0.4])
    chain = fixed.dirichlet(np.full(count, often), size=count).cumsum(1)
    rows = rng.integers(count, size=(n, length))
    for t in range(1, length):
        rows[:, t] = (chain[rows[:, t - 1]] < rng.random((n, 1))).sum(1).clip(0, count - 1)
    hidden = length - 1 - int(fixed.integers(2))
    seen = np.eye(count, dtype="float32")[np.delete(rows, hidden, 1)]
    return seen.reshape(n, -1), rows[:, hidden].astype("int32")


def _copies(fixed, rng, n):
    """What is seen is to be given back, through few units."""
    z, _ = _inputs(fixed, rng, n)
    wide = _rule(fixed, z.shape[1], int(fixed.integers(8, 40)))(z)
    x = (wide + fixed.uniform(0.02, 0.5) * rng.normal(size=wide.shape)).astype("float32")
    return x, x


def _counts(fixed, rng, n):
    d = int(fixed.integers(20, 120))
    weight = fixed.normal(size=d) * (fixed.random(d) < 0.3)
    x = rng.poisson(fixed.uniform(0.05, 0.5), size=(n, d))
    return x.astype("float32"), column(rng.poisson(np.exp(0.3 + 0.3 * x @ weight).clip(0, 50)))


def _templates(fixed, rng, n):
    count = int(fixed.integers(3, 9))
    shapes = fixed.random((count, 8, 8)) < 0.35
    y = rng.integers(count, size=n)
    moved = rng.integers(-1, 2, size=(n, 2))
    x = np.stack([np.roll(shapes[k], m, (0, 1)) for k, m in zip(y, moved)]).reshape(n, 64)
    x = x + fixed.uniform(0.1, 1.0) * rng.normal(size=x.shape)
    return x.astype("float32"), _mislabelled(fixed, rng, y, count)


DATA = {
    "values": _values, "classes": _classes, "clusters": _clusters, "halves": _halves,
    "tokens": _tokens, "copies": _copies, "counts": _counts, "templates": _templates,
}  # fmt: skip
