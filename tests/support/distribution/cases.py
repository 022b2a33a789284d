"""What is trained on two devices, and the rates that both must apply, in plain Python."""

from typing import NamedTuple

import keras
from support import effective_rates as matrix
from support.unit_gradient import Feed

from keras_lr import callbacks, schedules

PER_EPOCH, EPOCHS = matrix.PER_EPOCH, matrix.EPOCHS
UPDATES = range(PER_EPOCH * EPOCHS)
BACKEND = keras.backend.backend()


class Case(NamedTuple):
    """How to train, the rates applied to the weights that came out, and the recorder's."""

    optimizer: object
    callbacks: object
    applied: list
    recorded: list
    options: dict = {}


def _of_the_matrix(name, kind, **options):
    make_callbacks, rate = matrix.CASES[name]
    make_optimizer, base = matrix.OPTIMIZERS[kind]
    every = 2 if kind.startswith("accumulation") else 1
    total = len(UPDATES) // every
    rates = [rate(t, base(t), PER_EPOCH // every, total) for t in range(total)]
    # Batches that only accumulate move nothing.
    applied = [r for rate in rates for r in [0.0] * (every - 1) + [rate]]
    return Case(
        make_optimizer,
        lambda: [Feed(matrix.LOSSES), *make_callbacks()],
        applied,
        rates,
        options,
    )


def _restored(kind):
    """Best, worse, better, worse: epochs 2 and 4 are undone, and each cuts."""
    make_optimizer, base = matrix.OPTIMIZERS[kind]
    first, again, last = range(8), range(4, 8), range(8, 12)
    recorded = [base(t) for t in first] + [0.5 * base(t) for t in [*again, *last]]
    plateau = {"factor": 0.5, "patience": 1, "restore_best": "all"}
    return Case(
        make_optimizer,
        lambda: [
            Feed([1.0, 2.0, 0.5, 2.0]),
            callbacks.ReduceLROnPlateau("loss", **plateau),
        ],
        [base(t) for t in first[:4]] + [0.5 * base(t) for t in again],
        recorded,
    )


def _momentum(kind):
    """A momentum that falls from 0.5 to 0, on SGD."""
    rate = {"float": 0.4, "schedule": schedules.LinearDecay(0.4, 20)}[kind]
    base = matrix.OPTIMIZERS[kind][1]
    moved = [0.0]
    for t in UPDATES:
        moved.append(0.5 * (1 - t / len(UPDATES)) * moved[-1] + base(t))
    return Case(
        lambda: keras.optimizers.SGD(rate, momentum=0.9),
        lambda: [callbacks.MomentumSchedule(schedules.LinearDecay(0.5, "100%"))],
        moved[1:],
        [base(t) for t in UPDATES],
    )


_TOGETHER = (
    "factors together",
    "schedule and factors",
    "random rate",
    "threshold and warmup",
    "scheduler and factors",
)
_KINDS = ("float", "schedule")

CASES = {f"{name}, {kind}": _of_the_matrix(name, kind) for name in _TOGETHER for kind in _KINDS}
CASES |= {f"restored, {kind}": _restored(kind) for kind in _KINDS}
CASES |= {f"momentum, {kind}": _momentum(kind) for kind in _KINDS}
# Keras itself cannot train these under `tf.distribute`.
IMPOSSIBLE = {
    "accumulation": _of_the_matrix("factors together", "accumulation, schedule"),
    "steps per execution": _of_the_matrix("factors together", "float", steps_per_execution=2),
}
if BACKEND != "tensorflow":
    CASES |= IMPOSSIBLE
