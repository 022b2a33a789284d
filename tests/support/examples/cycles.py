"""Interpolations, cycles and recipes."""

import math

from support.examples.oracles import (
    between,
    cosine_climb,
    half_cosine,
    repeated,
    share,
    slanted,
    smith_triangle,
    through,
    warmup,
)

from keras_lr import schedules as s

POINTS = [(10, 0.02), (40, 0.1), (80, 0.01)]


def asymmetric(t):
    """10 updates up, 30 down, halved each time."""
    cycle, phase = divmod(t, 40)
    return between(0.01, 0.1, (phase / 10 if phase < 10 else (40 - phase) / 30) * 0.5**cycle)


def one_cycle(t, curve):
    return through([(0, 0.004), (30, 0.1), (100, 4e-7)], t, curve)


def three_phases(t):
    return through([(0, 0.01), (40, 0.1), (80, 0.01), (100, 0.0001)], t, cosine_climb)


def annealed(t, curve, end=0.0):
    """5 updates of warmup, the peak until update 80, then 20 of annealing."""
    if t < 80:
        return 0.1 * min((t + 1) / 5, 1.0)
    return between(0.1, end, curve(share(t - 80, 20)))


def warm_restarts(t):
    if t < 20:
        return warmup(t, 5, 0.0, lambda since: between(0.01, 0.1, half_cosine(since / 15)), float)
    return between(0.01, 0.1, half_cosine((t - 20) / 30 if t < 50 else share(t - 50, 50)))


CYCLES = [
    # interpolation
    (
        "PiecewiseLinear",
        s.PiecewiseLinear([10, 40, 80], [0.02, 0.1, 0.01]),
        lambda t: through(POINTS, t),
    ),
    (
        "PiecewiseCosine",
        s.PiecewiseCosine([10, 40, 80], [0.02, 0.1, 0.01]),
        lambda t: through(POINTS, t, cosine_climb),
    ),
    # cycles
    (
        "CyclicalLearningRate",
        s.CyclicalLearningRate(0.01, 0.1, 25),
        lambda t: between(0.01, 0.1, smith_triangle(t, 25)[0]),
    ),
    (
        "CyclicalLearningRate, triangular2",
        s.CyclicalLearningRate(0.01, 0.1, 10, 30, mode="triangular2"),
        asymmetric,
    ),
    (
        "CyclicalLearningRate, exp_range",
        s.CyclicalLearningRate(0.01, 0.1, 10, mode="exp_range", gamma=0.99),
        lambda t: between(0.01, 0.1, smith_triangle(t, 10)[0] * 0.99**t),
    ),
    ("OneCycle", s.OneCycle(0.1, 100), lambda t: one_cycle(t, cosine_climb)),
    ("OneCycle, linear", s.OneCycle(0.1, 100, anneal="linear"), lambda t: one_cycle(t, float)),
    (
        "OneCycle, three phases",
        s.OneCycle(0.1, 100, 0.4, 10.0, 100.0, three_phase=True),
        three_phases,
    ),
    (
        "SlantedTriangular",
        s.SlantedTriangular(0.1, 100, cut=0.2, ratio=10.0),
        lambda t: slanted(t, 100, 0.2, 10.0),
    ),
    (
        "Repeat",
        s.Repeat(s.LinearDecay(0.1, 30), 25, amplitude_multiplier=0.9),
        lambda t: repeated(t, 25, "1", 0.9, lambda since: 0.1 * (1 - since / 30)),
    ),
    (
        "Repeat, growing, each with a warmup",
        s.Constant(0.1).with_warmup(5).then(s.Constant(0.02), at=10).repeat(20, 2.0, 0.8),
        lambda t: repeated(
            t, 20, "2", 0.8, lambda since: 0.1 * min((since + 1) / 5, 1) if since < 10 else 0.02
        ),
    ),
    (
        "Repeat, growing by 1.3",
        s.Repeat(s.CosineDecay(0.1, 20), 20, 1.3),
        lambda t: repeated(t, 20, "1.3", 1.0, lambda since: 0.1 * half_cosine(since / 20)),
    ),
    # recipes
    (
        "LinearToZero",
        s.LinearToZero(0.1, 100),
        lambda t: warmup(t, 5, 0.0, lambda since: 0.1 * (1 - share(since, 95)), float),
    ),
    (
        "WarmupCosine",
        s.WarmupCosine(0.1, 100, warmup=20, end_learning_rate=0.01),
        lambda t: warmup(
            t, 20, 0.0, lambda since: between(0.01, 0.1, half_cosine(share(since, 80))), float
        ),
    ),
    ("WarmupStableDecay", s.WarmupStableDecay(0.1, 100), lambda t: annealed(t, math.sqrt)),
    (
        "WarmupStableDecay, linear",
        s.WarmupStableDecay(0.1, 100, shape="linear", end_learning_rate=0.01),
        lambda t: annealed(t, float, 0.01),
    ),
    (
        "WarmupStableDecay, cosine",
        s.WarmupStableDecay(0.1, 100, shape="cosine"),
        lambda t: annealed(t, cosine_climb),
    ),
    (
        "WarmupStableDecay, exponential",
        s.WarmupStableDecay(0.1, 100, shape="exponential", end_learning_rate=0.001),
        lambda t: annealed(t, lambda u: (1 - 0.01**u) / 0.99, 0.001),
    ),
    (
        "FlatCosine",
        s.FlatCosine(0.1, 100),
        lambda t: 0.1 * half_cosine(share(max(t - 75, 0), 25)),
    ),
    (
        "WarmRestarts",
        s.WarmRestarts(0.1, [20, 30, 50], warmup="5%", end_learning_rate=0.01),
        warm_restarts,
    ),
]
