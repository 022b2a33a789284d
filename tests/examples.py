"""The example schedules: every law of the tests runs on each, and the gallery draws them.

Beside each stands its oracle, the rate at one step in plain Python: written from the design, not
from the code, with exact fractions and integers where floats would hide an error.
"""

import dataclasses
import hashlib
import math
from fractions import Fraction
from math import cos, exp, pi, tanh

import keras

from keras_lr import schedules as s


@dataclasses.dataclass(frozen=True)
class Example:
    """A schedule, its rate at a step t in plain Python, and the updates worth looking at."""

    title: str
    schedule: s.Schedule
    oracle: object
    total_steps: int = 100

    @property
    def steps(self):
        end = self.total_steps
        return [0, 1, end - 1, end, end + 1, 10 * end, 2**24 + 1]

    @property
    def peak(self):
        return max(abs(self.oracle(t)) for t in [*range(self.total_steps + 2), *self.steps])


def between(start, end, c):
    return start + (end - start) * c


def share(t, duration):
    return min(t / duration, 1.0)


def half_cosine(u):
    return (1 + cos(pi * u)) / 2


def restarts(t, length, t_mul, m_mul):
    """SGDR by walking through the cycles, in exact fractions."""
    left, length, height = Fraction(t), Fraction(length), 1.0
    if t_mul == "1":
        cycle, left = divmod(left, length)
        return m_mul ** int(cycle) * half_cosine(float(left / length))
    while left >= length:
        left, length, height = left - length, length * Fraction(t_mul), height * m_mul
    return height * half_cosine(float(left / length))


def polynomial_cycle(t, duration):
    end = duration * max(math.ceil(t / duration), 1)
    return between(0.01, 0.1, (1 - t / end) ** 2)


def pieces(t, boundaries, values, inclusive):
    """The value of the piece that t is in; with `inclusive` a boundary is still the old piece."""
    passed = [t > b if inclusive else t >= b for b in boundaries]
    return values[sum(passed)]


def warmed_cosine(t):
    return between(0.01, 0.1, t / 20) if t < 20 else 0.1 * half_cosine(share(t - 20, 80))


def warmup(t, steps, start, schedule, curve):
    """A climb whose first update is not wasted: (t + 1) / steps of the way."""
    if t >= steps:
        return schedule(t - steps)
    return between(start, schedule(0), curve((t + 1) / steps))


def overlaid_warmup(t):
    return between(0.0, linear(t), min((t + 1) / 20, 1))


def linear(t):
    return 0.1 * (1 - share(t, 100))


def draw(seed, index):
    """The 24-bit draw of the random schedules in unsigned integers: two rounds of lowbias32."""
    digest = hashlib.sha256(f"{seed}/0".encode()).digest()
    first, second = (int.from_bytes(digest[i : i + 4], "little") for i in (0, 4))
    return (mix(mix(index ^ first) + second) >> 8) / 2**24


def mix(x):
    x &= 0xFFFFFFFF
    x = (x ^ x >> 16) * 0x7FEB352D & 0xFFFFFFFF
    x = (x ^ x >> 15) * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


@keras.saving.register_keras_serializable("keras_lr_examples")
def half_life(t):
    return 0.5 ** (t / 30)


def chain(t):
    """Warm up, hold, then anneal below a ceiling, jittered: most compositions in one."""
    plain = min((t + 1) / 10, 1) * 0.1 if t < 40 else 0.1 * (1 - math.sqrt(share(t - 40, 60)))
    return min(plain, 0.09) * (1 + 0.1 * (2 * draw(7, t // 5) - 1))


def keras_sum(t):
    """In epochs of 25 updates: halved every epoch, plus a constant."""
    return 0.1 * 0.5 ** (t / 25) + 0.01


EXAMPLES = [
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
    # random
    (
        "RandomUniform",
        s.RandomUniform(0.01, 0.1, every=5, seed=42),
        lambda t: between(0.01, 0.1, draw(42, t // 5)),
    ),
    (
        "Jitter",
        s.Jitter(s.LinearDecay(0.1, 100), 0.3, every=3, seed=1),
        lambda t: linear(t) * (1 + 0.3 * (2 * draw(1, t // 3) - 1)),
    ),
    # compositions
    (
        "Sequential",
        s.Sequential([s.Constant(0.05), s.LinearDecay(0.1, 30), s.Constant(0.02)], [30, 60]),
        lambda t: 0.05 if t < 30 else 0.1 * (1 - share(t - 30, 30)) if t < 60 else 0.02,
    ),
    (
        "Warmup",
        s.Warmup(s.LinearDecay(0.1, 100), 20, start=0.01),
        lambda t: warmup(t, 20, 0.01, linear, lambda u: u),
    ),
    (
        "Warmup, cosine",
        s.Warmup(s.SqrtDecay(0.1, 80), 20, shape="cosine"),
        lambda t: warmup(
            t,
            20,
            0.0,
            lambda x: 0.1 * (1 - math.sqrt(share(x, 80))),
            lambda u: 1 - half_cosine(u),
        ),
    ),
    (
        "Warmup, polynomial",
        s.Warmup(s.Constant(0.1), 40, shape="polynomial", power=3.0),
        lambda t: warmup(t, 40, 0.0, lambda x: 0.1, lambda u: u**3),
    ),
    (
        "Warmup, exponential",
        s.Warmup(s.Constant(0.1), 40, start=0.001, shape="exponential"),
        lambda t: 0.001 * 100 ** min((t + 1) / 40, 1),
    ),
    ("Warmup, overlay", s.LinearDecay(0.1, 100).with_warmup(20, overlay=True), overlaid_warmup),
    (
        "Sum",
        s.Sum([s.LinearDecay(0.1, 100), s.StepDecay(0.05, 50, 0.5), 0.01]),
        lambda t: linear(t) + 0.05 * 0.5 ** (t // 50) + 0.01,
    ),
    (
        "Difference",
        s.LinearDecay(0.1, 100) - s.Constant(0.03),
        lambda t: linear(t) - 0.03,
    ),
    (
        "Product",
        s.LinearDecay(0.1, 100) * s.StepDecay(1.0, 20, 0.8) * 0.5,
        lambda t: linear(t) * 0.8 ** (t // 20) * 0.5,
    ),
    (
        "Clip",
        s.LinearDecay(0.1, 100).clip(0.02, 0.08),
        lambda t: min(max(linear(t), 0.02), 0.08),
    ),
    ("Shift", s.LinearDecay(0.1, 100).shift(20), lambda t: linear(max(t - 20, 0))),
    ("Stretch", s.KDecay(0.1, 4).stretch(25), lambda t: 0.1 * half_cosine(share(t / 25, 4))),
    ("Hold", s.LinearDecay(0.1, 100).hold(10), lambda t: linear(t - t % 10)),
    (
        "Warmup, hold, anneal, clipped and jittered",
        s.Constant(0.1)
        .with_warmup(10)
        .then(s.SqrtDecay(0.1, 60), at=40)
        .clip(maximum=0.09)
        .jitter(0.1, every=5, seed=7),
        chain,
    ),
    (
        "Keras' schedule in epochs, stretched, plus a constant",
        s.Stretch(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5), 25) + 0.01,
        keras_sum,
    ),
]

SCHEDULES = [Example(title, schedule, oracle) for title, schedule, oracle in EXAMPLES]
