"""Keras' six schedules, decays, functions and tables."""

import math
from math import exp, tanh

from support.examples.oracles import (
    between,
    half_cosine,
    half_life,
    pieces,
    polynomial_cycle,
    restarts,
    share,
    warmed_cosine,
)

from keras_lr import schedules as s

CLOSED_FORMS = [
    # Keras' six
    ("ExponentialDecay", s.ExponentialDecay(0.1, 30, 0.5), lambda t: 0.1 * 0.5 ** (t / 30)),
    (
        "ExponentialDecay, staircase",
        s.ExponentialDecay(0.1, 30, 0.5, staircase=True),
        lambda t: 0.1 * 0.5 ** (t // 30),
    ),
    (
        "ExponentialDecay, with a floor",
        s.ExponentialDecay(0.1, 30, 0.5, end_learning_rate=0.02),
        lambda t: max(0.1 * 0.5 ** (t / 30), 0.02),
    ),
    ("InverseTimeDecay", s.InverseTimeDecay(0.1, 20, 0.9), lambda t: 0.1 / (1 + 0.9 * t / 20)),
    (
        "InverseTimeDecay, staircase",
        s.InverseTimeDecay(0.1, 20, 0.9, True),
        lambda t: 0.1 / (1 + 0.9 * (t // 20)),
    ),
    (
        "PolynomialDecay",
        s.PolynomialDecay(0.1, 100, 0.01, power=0.5),
        lambda t: between(0.01, 0.1, (1 - share(t, 100)) ** 0.5),
    ),
    (
        "PolynomialDecay, cycle",
        s.PolynomialDecay(0.1, 30, 0.01, power=2.0, cycle=True),
        lambda t: polynomial_cycle(t, 30),
    ),
    (
        "CosineDecay",
        s.CosineDecay(0.1, 100, 0.1),
        lambda t: 0.1 * (0.9 * half_cosine(share(t, 100)) + 0.1),
    ),
    (
        "CosineDecay, warmup",
        s.CosineDecay(0.01, 80, warmup_target=0.1, warmup_steps=20),
        warmed_cosine,
    ),
    (
        "CosineDecayRestarts",
        s.CosineDecayRestarts(0.1, 10, t_mul=2.0, m_mul=0.8, alpha=0.1),
        lambda t: 0.1 * (0.9 * restarts(t, 10, "2", 0.8) + 0.1),
    ),
    (
        "CosineDecayRestarts, equal cycles",
        s.CosineDecayRestarts(0.1, 25, t_mul=1.0),
        lambda t: 0.1 * restarts(t, 25, "1", 1.0),
    ),
    (
        "CosineDecayRestarts, t_mul 1.1",
        s.CosineDecayRestarts(0.1, 20, t_mul=1.1, m_mul=0.9),
        lambda t: 0.1 * restarts(t, 20, "1.1", 0.9),
    ),
    (
        "PiecewiseConstantDecay",
        s.PiecewiseConstantDecay([30, 60, 99], [0.1, 0.05, 0.02, 0.01]),
        lambda t: pieces(t, [30, 60, 99], [0.1, 0.05, 0.02, 0.01], inclusive=True),
    ),
    # open-ended decays
    ("Constant", s.Constant(0.1), lambda t: 0.1),
    (
        "NaturalExponentialDecay",
        s.NaturalExponentialDecay(0.1, 40, decay_rate=0.9),
        lambda t: 0.1 * exp(-0.9 * t / 40),
    ),
    (
        "NaturalExponentialDecay, staircase",
        s.NaturalExponentialDecay(0.1, 40, decay_rate=0.9, staircase=True),
        lambda t: 0.1 * exp(-0.9 * (t // 40)),
    ),
    ("StepDecay", s.StepDecay(0.1, 25, 0.5), lambda t: 0.1 * 0.5 ** (t // 25)),
    (
        "MultiStepDecay",
        s.MultiStepDecay(0.1, [30, 60, 100], 0.3),
        lambda t: 0.1 * 0.3 ** pieces(t, [30, 60, 100], [0, 1, 2, 3], inclusive=False),
    ),
    ("PowerDecay", s.PowerDecay(0.1, 10, 0.7), lambda t: 0.1 * (1 + t / 10) ** -0.7),
    (
        "InverseSquareRootDecay",
        s.InverseSquareRootDecay(0.1, 10),
        lambda t: 0.1 / math.sqrt(1 + t / 10),
    ),
    (
        "NoamDecay",
        s.NoamDecay(d_model=512, warmup_steps=25, scale=2.0),
        lambda t: 2 * 512**-0.5 * min((t + 1) ** -0.5, (t + 1) * 25**-1.5),
    ),
    # from an initial to an end rate
    (
        "LinearDecay",
        s.LinearDecay(0.1, 100, 0.01),
        lambda t: between(0.1, 0.01, share(t, 100)),
    ),
    (
        "LinearDecay.from_rate",
        s.LinearDecay.from_rate(0.1, 0.0013),
        lambda t: max(0.1 - 0.0013 * t, 0.0),
    ),
    (
        "SqrtDecay",
        s.SqrtDecay(0.1, 100, 0.01),
        lambda t: between(0.1, 0.01, math.sqrt(share(t, 100))),
    ),
    (
        "RexDecay",
        s.RexDecay(0.1, 100, beta=0.8),
        lambda t: 0.1 * (1 - share(t, 100)) / (1 - 0.8 * share(t, 100)),
    ),
    (
        "TanhDecay",
        s.TanhDecay(0.1, 100, 0.01),
        lambda t: between(
            0.1, 0.01, (tanh(9 * share(t, 100) - 6) - tanh(-6)) / (tanh(3) - tanh(-6))
        ),
    ),
    (
        "KDecay",
        s.KDecay(0.1, 100, k=3.0),
        lambda t: 0.1 * half_cosine(share(t, 100) ** 3),
    ),
    # functions and tables
    ("LambdaDecay", s.LambdaDecay(0.1, half_life), lambda t: 0.1 * 0.5 ** (t / 30)),
    (
        "Tabulated",
        s.Tabulated([0.01 * (1 + i * 7 % 10) for i in range(101)]),
        lambda t: 0.01 * (1 + min(t, 100) * 7 % 10),
    ),
]
