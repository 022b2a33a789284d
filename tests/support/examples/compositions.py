"""Random schedules and compositions."""

import math

import keras
from support.examples.oracles import (
    between,
    chain,
    cosine_climb,
    draw,
    half_cosine,
    keras_sum,
    linear,
    overlaid_warmup,
    share,
    truncated_normal,
    warmup,
)

from keras_lr import schedules as s

COMPOSITIONS = [
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
    (
        "RandomLogUniform",
        s.RandomLogUniform(0.001, 0.1, every=5, seed=42),
        lambda t: 0.001 * 100 ** draw(42, t // 5),
    ),
    (
        "Jitter, normal",
        s.LinearDecay(0.1, 100).jitter(0.5, every=3, seed=1, distribution="normal"),
        lambda t: linear(t) * (1 + 0.25 * truncated_normal(draw(1, t // 3))),
    ),
    (
        "Jitter, log-uniform",
        s.LinearDecay(0.1, 100).jitter(0.5, every=3, seed=1, distribution="log_uniform"),
        lambda t: linear(t) * 1.5 ** (2 * draw(1, t // 3) - 1),
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
            cosine_climb,
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
        "Maximum",
        s.maximum(s.LinearDecay(0.1, 100), s.StepDecay(0.08, 25, 0.7), 0.02),
        lambda t: max(linear(t), 0.08 * 0.7 ** (t // 25), 0.02),
    ),
    (
        "Minimum",
        s.minimum(s.LinearDecay(0.1, 100), s.Constant(0.06)),
        lambda t: min(linear(t), 0.06),
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
