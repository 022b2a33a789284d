"""Rates by hand, judged by how far the weights move."""

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import cells
from support.unit_gradient import needs_multi_optimizer

from keras_lr import get_rate, resume_at, set_rate
from keras_lr.schedules import LinearDecay

PLAN = LinearDecay(1.0, 10)
OPTIMIZERS = {
    "float": lambda: keras.optimizers.SGD(0.5),
    "schedule": lambda: keras.optimizers.SGD(PLAN),
    "Keras' schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)
    ),
    "function": lambda: keras.optimizers.SGD(lambda: 0.25),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(PLAN), initial_scale=2.0
    ),
    "accumulation": lambda: keras.optimizers.SGD(PLAN, gradient_accumulation_steps=2),
}
every_optimizer = pytest.mark.parametrize("build", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())


def moves(model, batches=2):
    """Returns by how much the weight falls in the next updates."""
    before = len(unit_gradient.applied(model))
    unit_gradient.fit(model, batches)
    moved = unit_gradient.applied(model)[before:]
    return moved[np.abs(moved) > 1e-7]


@every_optimizer
def test_what_is_read_is_what_is_applied(build):
    model = unit_gradient.build(build())
    for _ in range(3):
        expected = get_rate(model)
        assert expected == get_rate(model.optimizer)
        assert moves(model)[0] == pytest.approx(expected, abs=1e-6)


@every_optimizer
@pytest.mark.parametrize("trained", cells([False, True], [True]))
def test_what_is_set_is_what_is_applied(build, trained):
    model = unit_gradient.build(build())
    if trained:
        moves(model)
    set_rate(model, 0.125)
    assert get_rate(model) == 0.125
    np.testing.assert_allclose(moves(model), 0.125, atol=1e-6)


@needs_multi_optimizer
def test_several_optimizers():
    from keras.optimizers import MultiOptimizer, OptimizerMap

    first, second = keras.optimizers.SGD(0.5, name="a"), keras.optimizers.SGD(PLAN, name="b")
    model = unit_gradient.build(MultiOptimizer(OptimizerMap(second, {"trace_0": first})), layers=2)
    assert get_rate(model) == {"a": 0.5, "b": 1.0}
    moves(model)
    set_rate(model, 0.125)
    moves(model)
    for layer in ("trace_0", "trace_1"):
        np.testing.assert_allclose(unit_gradient.applied(model, layer)[2:], 0.125, atol=1e-6)


@pytest.mark.parametrize("name", ["schedule", "Keras' schedule", "loss scale", "accumulation"])
def test_the_clock_is_where_the_epochs_leave_it(name):
    model = unit_gradient.build(OPTIMIZERS[name]())
    resume_at(model, 2, 2)
    begin = 4 if name != "accumulation" else 5
    assert get_rate(model) == pytest.approx(1 - begin / 10)
    assert moves(model)[0] == pytest.approx(1 - begin / 10, abs=1e-6)


def test_an_optimizer_alone():
    optimizer = keras.optimizers.SGD(0.5)
    set_rate(optimizer, 0.25)
    assert get_rate(optimizer) == 0.25
    with pytest.raises(ValueError, match="`model` must be the compiled model.*Received: SGD"):
        set_rate(keras.optimizers.SGD(PLAN), 0.25)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda model: set_rate(model, -0.1), "`rate` must be a finite number >= 0. Received"),
        (lambda model: set_rate(model, "0.1"), "`rate` must be a finite number >= 0. Received"),
        (lambda model: set_rate(3, 0.1), "`model` must be a compiled model or an optimizer. Rec"),
        (lambda model: get_rate(keras.Sequential()), "`model` must be a compiled model or an opt"),
        (lambda model: resume_at(model, -1, 5), "`epoch` must be an integer >= 0. Received"),
        (lambda model: resume_at(model, 1, 0), "`steps_per_epoch` must be an integer >= 1. Rec"),
    ],
)
def test_bad_arguments(call, says):
    with pytest.raises(ValueError, match=says):
        call(unit_gradient.build(keras.optimizers.SGD(0.5)))
