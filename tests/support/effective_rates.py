"""The table of effective rates: each callback, and each kind of optimizer, with what it must apply.

The expected rates are plain Python, written for a run of 4 epochs of 4 batches.
"""

import keras
from support import unit_gradient

from keras_lr import callbacks, schedules
from keras_lr.callbacks import BoldDriver, GreedyLR, LearningRateScheduler

PER_EPOCH, EPOCHS = 4, 4
BACKEND = keras.backend.backend()
LOSSES = [1.0, 1.0, 1.0, 0.2]
# Draws of seed 42, as the hash was published (see test_noise.py).
DRAWS = [0.2879204750061035, 0.16698020696640015, 0.028228819370269775, 0.9647769927978516]


def epoch_of(t, per_epoch):
    return int(t // per_epoch)


# Each: callbacks, and rate(t, base, per_epoch, total): the rate that update t must have.
CASES = {
    "plateau": (
        lambda: [callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)],
        lambda t, base, n, total: base * [1, 1, 0.5, 0.25][epoch_of(t, n)],
    ),
    "loss threshold": (
        lambda: [callbacks.LossThreshold(0.5, [0.01, 0.1])],
        lambda t, base, n, total: base if t < n else 0.1,
    ),
    "validation threshold": (
        lambda: [callbacks.ValidationThreshold([0.5, 0.9], [0.01, 0.1, 0.2], "loss")],
        lambda t, base, n, total: base if t < n else 0.2,
    ),
    "validation decay": (
        lambda: [
            unit_gradient.Feed([1.0, 2.0, 3.0, 4.0], "metric"),
            callbacks.ValidationDecay("metric", mode="min"),
        ],
        # Worse since evaluation 2: for one of them (factor 1), then for two (factor 1/2).
        lambda t, base, n, total: base * [1, 1, 1, 0.5][epoch_of(t, n)],
    ),
    "warmup": (
        lambda: [callbacks.Warmup(5)],
        lambda t, base, n, total: base * min((t + 1) / 5, 1.0),
    ),
    "warmup in epochs": (
        lambda: [callbacks.Warmup("2 epochs", start=0.5)],
        lambda t, base, n, total: base * (0.5 + 0.5 * min((t + 1) / (2 * n), 1.0)),
    ),
    "random rate": (
        lambda: [callbacks.RandomLearningRate(0.1, 0.3, seed=42)],
        lambda t, base, n, total: 0.1 + 0.2 * DRAWS[epoch_of(t, n)],
    ),
    "random jitter": (
        lambda: [callbacks.RandomJitter(0.5, seed=42)],
        lambda t, base, n, total: base * (0.5 + DRAWS[epoch_of(t, n)]),
    ),
    "fit schedule": (
        lambda: [callbacks.FitSchedule(schedules.LinearDecay(0.8, "100%"))],
        lambda t, base, n, total: 0.8 * (1 - t / total),
    ),
    "stages": (
        lambda: [
            callbacks.Stages(
                [callbacks.Stage(0.1, 2), callbacks.Stage(schedules.LinearDecay(0.8, "100%"))]
            )
        ],
        lambda t, base, n, total: 0.1 if t < 2 * n else 0.8 * (1 - (t - 2 * n) / (2 * n)),
    ),
    "factors together": (
        lambda: [
            callbacks.Warmup(5),
            callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1),
            callbacks.RandomJitter(0.5, seed=42),
            unit_gradient.Feed([1.0, 2.0, 3.0, 4.0], "metric"),
            callbacks.ValidationDecay("metric", mode="min"),
        ],
        lambda t, base, n, total: (
            base
            * min((t + 1) / 5, 1.0)
            * [1, 1, 0.5, 0.25][epoch_of(t, n)]
            * (0.5 + DRAWS[epoch_of(t, n)])
            * [1, 1, 1, 0.5][epoch_of(t, n)]
        ),
    ),
    "schedule and factors": (
        lambda: [
            callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1),
            callbacks.FitSchedule(schedules.LinearDecay(0.8, "100%")),
            callbacks.Warmup(5),
        ],
        lambda t, base, n, total: (
            0.8 * (1 - t / total) * min((t + 1) / 5, 1.0) * [1, 1, 0.5, 0.25][epoch_of(t, n)]
        ),
    ),
    "bold driver and greedy": (
        lambda: [
            unit_gradient.Feed([1.0, 0.8, 0.9, 1.0], "metric"),
            BoldDriver("metric", mode="min"),
            GreedyLR("metric", mode="min", factor=0.5, patience=1),
        ],
        lambda t, base, n, total: base * [1, 1, 1.05 * 2, 1.05 * 0.5 * 2 * 0.5][epoch_of(t, n)],
    ),
    "scheduler and factors": (
        lambda: [
            callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1),
            LearningRateScheduler(lambda epoch: 0.3 / (1 + epoch)),
            callbacks.Warmup(5),
        ],
        lambda t, base, n, total: (
            0.3 / (1 + epoch_of(t, n)) * min((t + 1) / 5, 1.0) * [1, 1, 0.5, 0.25][epoch_of(t, n)]
        ),
    ),
    "scheduler by updates": (
        lambda: [
            LearningRateScheduler(lambda k: 0.1 + 0.05 * (k % 4), every=3),
            callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1),
        ],
        lambda t, base, n, total: (0.1 + 0.05 * (t // 3 % 4)) * [1, 1, 0.5, 0.25][epoch_of(t, n)],
    ),
    "threshold and warmup": (
        lambda: [callbacks.Warmup(5), callbacks.LossThreshold(0.5, [0.01, 0.1])],
        lambda t, base, n, total: (base if t < n else 0.1) * min((t + 1) / 5, 1.0),
    ),
}


def linear(t):
    return 0.4 * (1 - t / 20)


OPTIMIZERS = {
    "float": (lambda: keras.optimizers.SGD(0.4), lambda t: 0.4),
    "schedule": (lambda: keras.optimizers.SGD(schedules.LinearDecay(0.4, 20)), linear),
    "Keras schedule": (
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(0.4, 20, 0.0)),
        linear,
    ),
    "loss scale, float": (
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.4)),
        lambda t: 0.4,
    ),
    "loss scale, schedule": (
        lambda: keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(schedules.LinearDecay(0.4, 20))
        ),
        linear,
    ),
    "accumulation, float": (
        lambda: keras.optimizers.SGD(0.4, gradient_accumulation_steps=2),
        lambda t: 0.4,
    ),
    # As Keras has it: the schedule sees batches, and the second of each two makes the update.
    "accumulation, schedule": (
        lambda: keras.optimizers.SGD(schedules.LinearDecay(0.4, 20), gradient_accumulation_steps=2),
        lambda t: linear(2 * t + 1),
    ),
}

GRAPH = {"jit_compile": False}
MODES = {"eager": {"run_eagerly": True}, "graph": GRAPH, "xla": {"jit_compile": True}}
# PyTorch has no graph but torch.compile, which is slow to compile: test_driver.py has one case.
DEFAULT_MODE = {"tensorflow": "graph", "jax": "xla", "torch": "graph"}[BACKEND]
