"""Values that no argument expects: for tests that try every argument with every one of them."""

import decimal
import fractions
import inspect
import random

import keras
import numpy as np

from keras_lr import callbacks, schedules


class NoRepr:
    """An object of which not even a message can be made."""

    def __repr__(self):
        raise RuntimeError("no repr")


nan, inf = float("nan"), float("inf")
VALUES = [
    *(0, 1, -1, 2, 5, 0.1, 0.5, -0.5, 1e-300, 1e300, 1e-40, 3.5e38, nan, inf, -inf, True, False),
    *(
        10**30,
        10**400,
        -(10**400),
        2**31,
        2**63,
        1j,
        None,
        "",
        "a",
        "0.1",
        "\0",
        "5%",
        "0%",
        "200%",
    ),
    *("10 epochs", "0 epochs", "9" * 400 + " steps", "9" * 5000 + " epochs", "linear", "epoch"),
    *([], [1, 2], [2, 1], [1, 1], [[1]], (1,), {}, {"a": 1}, {1, 2}, frozenset([1]), range(3)),
    *(b"x", b"x.json", bytearray(b"xy"), print, int, object(), NoRepr(), lambda: 0, lambda t: None),
    *(decimal.Decimal("0.1"), fractions.Fraction(1, 3), fractions.Fraction(10**400, 1)),
    *(np.float32(0.1), np.int64(3), np.bool_(True), np.float16("inf"), np.complex64(1)),
    *(np.array(0.3), np.array([1, 2]), np.array([]), np.array("a"), np.array([0.1, nan])),
    *(np.zeros(2), np.array([object()]), np.datetime64("2020"), np.array([["weights", "all"]])),
    *(keras.ops.ones(()), keras.ops.ones((2,)), schedules.Constant(0.1)),
    *(schedules.LinearDecay(0.1, "5%"), keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)),
    keras.optimizers.schedules.LearningRateSchedule(),
]

_GOOD = {
    "amplitude": 0.1, "base": 0.1, "boundaries": [5], "d_model": 4, "decay_rate": 0.5,
    "decay_steps": 10, "directory": "d", "duration": 3, "every": 2, "factor": 0.5,
    "first_decay_steps": 4, "function": lambda t: t, "initial_learning_rate": 0.1,
    "learning_rate": 0.1, "learning_rates": [0.1, 0.2], "max_learning_rate": 0.1, "maximum": 0.2,
    "maximal_learning_rate": 0.2, "milestones": [3], "minimum": 0.1, "monitor": "loss",
    "stages": [callbacks.Stage(0.1)],
    "peak": 0.1, "period": 5, "periods": [3, 4], "power": 0.5, "schedule": schedules.Constant(0.1),
    "schedules": [schedules.Constant(0.1)] * 2, "step_size": 3, "steps": 3, "terms": [0.1, 0.2],
    "thresholds": [0.5], "timescale": 3, "total_steps": 100, "values": [0.1, 0.2],
    "warmup_steps": 3,
}  # fmt: skip


def cases(function, seed, share):
    """Yields a name, a value and all arguments: each argument with a `share` of the values."""
    chance = random.Random(f"{seed} {function.__name__}")
    fixed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    parameters = [p for p in parameters if p.kind not in fixed]
    needed = {p.name: _GOOD[p.name] for p in parameters if p.default is p.empty}
    if function in (schedules.PiecewiseLinear, schedules.PiecewiseCosine):
        needed["boundaries"] = [0, 5]
    if function is schedules.Clip:
        needed["minimum"] = 0.0
    for parameter in parameters:
        for value in chance.sample(VALUES, round(share * len(VALUES))):
            yield parameter.name, value, {**needed, parameter.name: value}
