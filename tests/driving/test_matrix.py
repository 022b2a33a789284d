"""Every callback on every kind of optimizer, eager, graph and XLA: judged by how the weight moves.

The expected rates are plain Python, written for this one run of 4 epochs of 4 batches.
"""

import itertools

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.effective_rates import (
    BACKEND,
    CASES,
    DEFAULT_MODE,
    EPOCHS,
    LOSSES,
    MODES,
    OPTIMIZERS,
    PER_EPOCH,
    linear,
)
from support.tiers import cells, diagonal

from keras_lr import callbacks, schedules

OTHER_MODES = [mode for mode in MODES if mode != DEFAULT_MODE and BACKEND != "torch"]
CELLS = [(case, kind, DEFAULT_MODE) for case in CASES for kind in OPTIMIZERS] + [
    (case, kind, mode) for case in CASES for kind in ("float", "schedule") for mode in OTHER_MODES
]


# Each case, each kind and each mode.
QUICK = [(case, kind, DEFAULT_MODE) for case, kind in diagonal(CASES, OPTIMIZERS)]
if OTHER_MODES:
    others = itertools.product(("float", "schedule"), OTHER_MODES)
    QUICK += [(case, *other) for case, other in diagonal(list(CASES)[::2], others)]


@pytest.mark.parametrize(("case", "kind", "mode"), cells(CELLS, QUICK))
def test_weights_move_by_base_times_factors(case, kind, mode):
    make_callbacks, expected_rate = CASES[case]
    make_optimizer, base = OPTIMIZERS[kind]
    model = unit_gradient.build(make_optimizer(), **MODES[mode])
    recorder = callbacks.LearningRateRecorder()
    unit_gradient.fit(
        model,
        PER_EPOCH,
        EPOCHS,
        [unit_gradient.Feed(LOSSES), recorder, *make_callbacks()],
    )
    every = 2 if kind.startswith("accumulation") else 1
    per_epoch, total = PER_EPOCH // every, PER_EPOCH * EPOCHS // every
    applied = unit_gradient.applied(model)[every - 1 :: every]
    expected = [expected_rate(t, base(t), per_epoch, total) for t in range(total)]
    np.testing.assert_allclose(applied, expected, atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, expected, atol=1e-7)


@unit_gradient.needs_multi_optimizer
@pytest.mark.parametrize("case", cells(CASES, ["factors together", "schedule and factors"]))
def test_every_optimizer_of_a_multi_optimizer_gets_the_same_factors(case):
    make_callbacks, expected_rate = CASES[case]
    first, second = (
        keras.optimizers.SGD(0.4),
        keras.optimizers.SGD(schedules.LinearDecay(0.4, 20)),
    )
    groups = keras.optimizers.OptimizerMap(first, {"trace_1/.*": second})
    model = unit_gradient.build(keras.optimizers.MultiOptimizer(groups), layers=2)
    feed = unit_gradient.Feed(LOSSES)
    unit_gradient.fit(model, PER_EPOCH, EPOCHS, [feed, *make_callbacks()])
    total = PER_EPOCH * EPOCHS
    for layer, base in (("trace_0", lambda t: 0.4), ("trace_1", linear)):
        expected = [expected_rate(t, base(t), PER_EPOCH, total) for t in range(total)]
        applied = unit_gradient.applied(model, layer)
        np.testing.assert_allclose(applied, expected, atol=2e-6, err_msg=layer)
