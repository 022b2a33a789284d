"""Driven steps are kept from fit to fit: what is applied is always this fit's, compiled once.

A layer counts how often its Python runs; under a compiled step that is once per trace.
"""

import keras
import numpy as np
import pytest
from support import tiers, unit_gradient
from support.counting import build, moved, several, take_count

from keras_lr import callbacks, schedules

BACKEND = keras.backend.backend()
COMPILES = BACKEND != "torch"
PER_EPOCH, EPOCHS = 2, 2
TOTAL = PER_EPOCH * EPOCHS
LINEAR = schedules.LinearDecay(0.8, "100%")

OPTIMIZERS = {
    "float": lambda: keras.optimizers.SGD(0.5),
    "schedule": lambda: keras.optimizers.SGD(schedules.Constant(0.5)),
    "Keras schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.5, 10, 1.0)
    ),
    "accumulation": lambda: keras.optimizers.SGD(0.5, gradient_accumulation_steps=2),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5)),
    "several": several,
}
NEEDS = {"several": [unit_gradient.needs_multi_optimizer]}
MODES = {
    "eager": {"run_eagerly": True},
    "other": {"jit_compile": BACKEND == "tensorflow"},
    "steps per execution": {"steps_per_execution": 2},
}

# What a fit may be driven by, and its rates by update, of a model built with 0.5.
PLAIN = (list, lambda t: 0.5)
FALLS = (lambda: [callbacks.FitSchedule(LINEAR)], lambda t: 0.8 * (1 - t / TOTAL))
WARMS = (lambda: [callbacks.Warmup(4)], lambda t: 0.5 * (t + 1) / 4)
WARMS_LONGER = (lambda: [callbacks.Warmup(8)], lambda t: 0.5 * (t + 1) / 8)


def train(model, driven_by):
    """Fits a model; returns by layer what was applied, and what was to be."""
    make, rate = driven_by
    done = len(moved(model)[0])
    every = model.optimizer.gradient_accumulation_steps or 1
    unit_gradient.fit(model, PER_EPOCH * every, EPOCHS, make())
    applied = [layer[done:][every - 1 :: every] for layer in moved(model)]
    return applied, np.array([rate(t) for t in range(TOTAL)])


def check(model, *fits):
    """Trains by fits, each with what drives it and how often its step is compiled."""
    for number, (driven_by, compiled) in enumerate(fits):
        applied, expected = train(model, driven_by)
        np.testing.assert_allclose(applied[0], expected, atol=2e-6, err_msg=f"fit {number}")
        for layer in applied[1:]:
            share = 1.0 if driven_by is FALLS else 0.5
            np.testing.assert_allclose(layer, share * expected, atol=2e-6, err_msg=f"fit {number}")
        counts = take_count(model)
        if COMPILES and compiled is not None:
            assert counts == [compiled] * len(counts), f"fit {number}"


def kinds(*quick):
    """Returns a row for each kind of optimizer, those that are quick on every back end unmarked."""
    marks = {kind: [] if kind in quick else [tiers.once] for kind in OPTIMIZERS}
    return [pytest.param(kind, marks=[*marks[kind], *NEEDS.get(kind, [])]) for kind in OPTIMIZERS]


def layers_of(kind):
    return 2 if kind == "several" else 1


@pytest.mark.parametrize("kind", kinds("schedule", "accumulation", "several"))
def test_driven_plain_the_same_another_plain(kind):
    model = build(OPTIMIZERS[kind](), layers_of(kind))
    # The plain step was built by Keras before the first driven fit, and stays the same.
    check(model, (FALLS, 1), (PLAIN, 1), (FALLS, 0), (WARMS, 1), (PLAIN, 0), (FALLS, 0), (WARMS, 0))


@pytest.mark.skipif(BACKEND == "torch", reason="Keras compiles nothing by itself on PyTorch")
@pytest.mark.parametrize("mode", tiers.cells(MODES, ["eager"]))
def test_in_every_mode(mode):
    model = build(keras.optimizers.SGD(0.5), **MODES[mode])
    # Without XLA, JAX runs the step's Python for each batch.
    compiles = mode != "eager" and not (mode == "other" and BACKEND == "jax")
    counts = (1, 1, 0, 1, 0) if compiles else [None] * 5
    check(model, *zip((FALLS, PLAIN, FALLS, WARMS, PLAIN), counts))


@tiers.once
def test_the_oldest_of_three_is_compiled_again():
    model = build(keras.optimizers.SGD(0.5))
    check(model, (FALLS, 1), (WARMS, 1), (WARMS_LONGER, 1), (WARMS, 0), (FALLS, 1))


class Foreign:
    """A function of the step that is another one in each fit."""

    rate = 0.1

    def __call__(self, step):
        return self.rate + 0.0 * step


def test_a_function_from_outside_is_asked_again_in_every_fit():
    function, model = Foreign(), build(keras.optimizers.SGD(0.5))
    for rate in (0.1, 0.3):
        function.rate = rate
        drives = (lambda: [callbacks.FitSchedule(function)], lambda t, rate=rate: rate)
        check(model, (drives, 1))


def by_momentum(model):
    model.optimizer.nesterov = True


def by_compile(model):
    model.compile(keras.optimizers.SGD(0.5), unit_gradient.mean_output)


def by_a_new_step(model):
    model.make_train_function(force=True)


@pytest.mark.parametrize("change", [by_momentum, by_compile, by_a_new_step])
def test_what_is_compiled_in_and_was_changed_is_compiled_again(change):
    model = build(keras.optimizers.SGD(0.5))
    check(model, (WARMS, 1), (WARMS, 0))
    change(model)
    check(model, (WARMS, 1), (WARMS, 0))


def test_another_loss_is_minimised_after_compile():
    model = build(keras.optimizers.SGD(0.5))
    check(model, (WARMS, 1), (PLAIN, 1))
    model.compile(
        keras.optimizers.SGD(0.5), lambda y, out: -2.0 * unit_gradient.mean_output(y, out)
    )
    backwards = [(make, lambda t, rate=rate: -2 * rate(t)) for make, rate in (WARMS, PLAIN)]
    check(model, *[(driven_by, 1) for driven_by in backwards])
    check(model, *[(driven_by, 0) for driven_by in backwards])


def test_weights_that_were_frozen_in_between_stay():
    model = build(several() if hasattr(keras.optimizers, "MultiOptimizer") else "sgd", layers=2)
    unit_gradient.fit(model, 2, 1, [callbacks.FitSchedule(schedules.Constant(0.1))])
    model.get_layer("trace_1").trainable = False
    model.compile(keras.optimizers.SGD(0.5), unit_gradient.mean_output)
    unit_gradient.fit(model, 2, 1, [callbacks.FitSchedule(schedules.Constant(0.1))])
    np.testing.assert_allclose(moved(model)[0], [0.1] * 4, atol=2e-6)
    np.testing.assert_allclose(moved(model)[1], [0.1, 0.1, 0.0, 0.0], atol=2e-6)


@tiers.once
def test_a_schedule_assigned_between_driven_fits_is_the_next_base():
    model = build(keras.optimizers.SGD(schedules.Constant(0.5)))
    check(model, (WARMS, 1), (PLAIN, 1))
    model.optimizer.learning_rate = schedules.Constant(0.25)
    halves = [(make, lambda t, rate=rate: rate(t) / 2) for make, rate in (WARMS, PLAIN)]
    check(model, *[(driven_by, 1) for driven_by in halves])


@pytest.mark.parametrize("kind", kinds("float", "loss scale"))
def test_a_cut_compiles_nothing(kind):
    model = build(OPTIMIZERS[kind](), layers_of(kind))
    every = model.optimizer.gradient_accumulation_steps or 1
    feed, epochs = unit_gradient.Feed([1.0] * 5), 5
    cut = callbacks.ReduceLROnPlateau(
        "loss", factor=0.5, patience=1, mode="min", on_train_end="restore_initial"
    )
    expected = np.repeat([1, 1, 0.5, 0.25, 0.125], 2)
    for number in range(2):
        done = len(moved(model)[0])
        used = [feed, cut, callbacks.FitSchedule(schedules.Constant(0.4))]
        unit_gradient.fit(model, 2 * every, epochs, used)
        for layer in moved(model):
            np.testing.assert_allclose(layer[done:][every - 1 :: every], 0.4 * expected, atol=2e-6)
        counts = take_count(model)
        assert not COMPILES or counts == [1 - number] * len(counts)


@tiers.once
def test_a_cut_on_the_optimizers_own_schedule_stays_in_the_plain_step():
    model = build(keras.optimizers.SGD(schedules.Constant(0.4)))
    for _ in range(2):
        cut = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, mode="min")
        unit_gradient.fit(model, 1, 3, [unit_gradient.Feed([1.0] * 3), cut])
        unit_gradient.fit(model, 1)
    # The last evaluation of each fit cuts too.
    expected = [0.4, 0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.025]
    np.testing.assert_allclose(moved(model)[0], expected, atol=2e-6)
