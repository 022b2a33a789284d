"""Row 21 of the documents: every schedule and every callback with the optimizers they explain.

The optimizers' update rules are the documents', in plain Python; each weight of a Keras model has
to move as they say, at the rate that the schedule or the callback says.
"""

import math

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.arrays import to_numpy
from support.effective_rates import CASES, DEFAULT_MODE, EPOCHS, LOSSES, MODES, PER_EPOCH
from support.examples import SCHEDULES
from support.tiers import cells, once

from keras_lr import callbacks

BASE = 0.4
# Keras takes 1 - 0.999^n, Adam's bias correction, in float32: right to about 1.3e-5.
CLOSE = {"rtol": 3e-5, "atol": 2e-6}
# Keras starts the sum of squares at 0.1, the documents at 0.
KINDS = {
    "gradient descent": lambda rate: keras.optimizers.SGD(rate),
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "AdaGrad": lambda rate: keras.optimizers.Adagrad(rate, initial_accumulator_value=0.0),
    "RMSProp": lambda rate: keras.optimizers.RMSprop(rate, rho=0.9),
    "Adam": lambda rate: keras.optimizers.Adam(rate),
}


def movement(kind, rates, gradients, first=0):
    """Returns by how much the documents' rule lowers a weight in each update.

    `first` is the number of the first update, which Adam's bias correction depends on.
    """
    epsilon, mean, square, moves = 1e-7, 0.0, 0.0, []
    for n, (rate, g) in enumerate(zip(rates, gradients, strict=True), start=first + 1):
        if kind == "gradient descent":
            move = rate * g
        elif kind == "momentum":
            move = mean = 0.9 * mean + rate * g
        elif kind == "AdaGrad":
            square += g**2
            move = rate * g / math.sqrt(square + epsilon)
        elif kind == "RMSProp":
            square = 0.9 * square + 0.1 * g**2
            move = rate * g / math.sqrt(square + epsilon)
        else:
            mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
            corrected = square / (1 - 0.999**n)
            move = rate * mean / (1 - 0.9**n) / (math.sqrt(corrected) + epsilon)
        moves.append(move)
    return moves


@once
@pytest.mark.parametrize("kind", KINDS)
def test_every_schedule_drives_the_optimizer(kind):
    # From update 28, because many of the examples change at 30.
    first, gradients = 28, [1.0, -0.5, 2.0]
    for example in SCHEDULES:
        optimizer = KINDS[kind](example.schedule)
        weight = keras.Variable(0.0)
        optimizer.build([weight])
        optimizer.iterations.assign(first)
        rates = [example.oracle(first + i) for i in range(len(gradients))]
        weights = [0.0]
        for g in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(g)])
            weights.append(float(to_numpy(weight.value)))
        expected = movement(kind, rates, gradients, first)
        np.testing.assert_allclose(-np.diff(weights), expected, err_msg=example.title, **CLOSE)


# One callback by itself; together they are below.
SINGLE = [
    case
    for case, (make_callbacks, _) in CASES.items()
    if sum(isinstance(callback, callbacks.RateCallback) for callback in make_callbacks()) == 1
]


@pytest.mark.parametrize("case", cells(SINGLE, quick=SINGLE[::3]))
def test_every_callback_drives_the_optimizers(case):
    make_callbacks, expected_rate = CASES[case]
    first, *others = [make(BASE) for make in KINDS.values()]
    by_path = {f"trace_{i}/.*": optimizer for i, optimizer in enumerate(others, start=1)}
    groups = keras.optimizers.OptimizerMap(first, by_path)
    model = unit_gradient.build(
        keras.optimizers.MultiOptimizer(groups), layers=len(KINDS), **MODES[DEFAULT_MODE]
    )
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, [unit_gradient.Feed(LOSSES), *make_callbacks()])
    total = PER_EPOCH * EPOCHS
    rates = [expected_rate(t, BASE, PER_EPOCH, total) for t in range(total)]
    for i, kind in enumerate(KINDS):
        expected = movement(kind, rates, total * [1.0])
        applied = unit_gradient.applied(model, f"trace_{i}")
        np.testing.assert_allclose(applied, expected, err_msg=kind, **CLOSE)


@once
@pytest.mark.parametrize("kind", KINDS)
def test_callbacks_work_together_on_the_optimizer_by_itself(kind):
    model = unit_gradient.build(KINDS[kind](BASE))
    factors = [
        callbacks.Warmup(3),
        callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1),
    ]
    unit_gradient.fit(model, 2, 3, [unit_gradient.Feed([1.0, 1.0, 1.0]), *factors])
    rates = BASE * np.array([1 / 3, 2 / 3, 1, 1, 0.5, 0.5])
    expected = movement(kind, rates, 6 * [1.0])
    np.testing.assert_allclose(unit_gradient.applied(model), expected, **CLOSE)
