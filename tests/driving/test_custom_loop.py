"""Callbacks attached to a model in a loop of one's own: the rates are those of `fit`."""

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import matrix, once

from keras_lr import callbacks, schedules

PER_EPOCH = 3
VALUES = [1.0, 1.0, 1.0, 0.2, 1.0, 1.0]
RULES = {
    "plateau": lambda: callbacks.ReduceLROnPlateau("m", factor=0.5, patience=1, mode="min"),
    "threshold": lambda: callbacks.LossThreshold(0.5, [0.01, 0.1], "m"),
    "validation decay": lambda: callbacks.ValidationDecay("m", mode="min"),
    "bold driver": lambda: callbacks.BoldDriver("m", mode="min"),
    "greedy": lambda: callbacks.GreedyLR("m", factor=0.5, patience=1, mode="min"),
}
OWN = {"float": lambda: 0.4, "schedule": lambda: schedules.LinearDecay(0.4, 30)}
X, Y = unit_gradient.batches(1)


def build(own="float"):
    return unit_gradient.build(keras.optimizers.SGD(OWN[own]()))


def loop(model, *steps):
    """Trains as many epochs as there are values, and steps callbacks with each."""
    for value in VALUES:
        for _ in range(PER_EPOCH):
            model.train_on_batch(X, Y)
        for callback in steps:
            callback.step(value if hasattr(callback, "monitor") else None)


@pytest.mark.parametrize(("rule", "own"), matrix(RULES, OWN))
def test_a_loop_has_the_rates_of_fit(rule, own):
    expected = build(own)
    feed = unit_gradient.Feed(VALUES, "m")
    unit_gradient.fit(expected, PER_EPOCH, len(VALUES), [feed, RULES[rule]()])
    model, callback = build(own), RULES[rule]()
    callback.attach(model)
    loop(model, callback)
    found, wanted = unit_gradient.applied(model), unit_gradient.applied(expected)
    np.testing.assert_allclose(found, wanted, atol=2e-6)


@once
@pytest.mark.parametrize("own", OWN)
def test_several_multiply_and_are_recorded(own):
    def used():
        plan = callbacks.FitSchedule(schedules.LinearDecay(0.8, "100%"))
        return [RULES["plateau"](), callbacks.Warmup("1 epoch"), plan, RULES["bold driver"]()]

    expected, recorder = build(own), callbacks.LearningRateRecorder()
    feed = unit_gradient.Feed(VALUES, "m")
    unit_gradient.fit(expected, PER_EPOCH, len(VALUES), [feed, *used()])
    model, together = build(own), used()
    for callback in [*together, recorder]:
        callback.attach(model, epochs=len(VALUES), steps_per_epoch=PER_EPOCH)
    loop(model, together[0], together[3], recorder)
    found, wanted = unit_gradient.applied(model), unit_gradient.applied(expected)
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, wanted, atol=2e-6)


def test_step_returns_the_next_rate_and_detach_leaves_the_reduction():
    model, plateau = build(), RULES["plateau"]()
    plateau.attach(model)
    for value, expected in [(1.0, 0.4), (1.0, 0.2), (np.float32(1.0), 0.1)]:
        model.train_on_batch(X, Y)
        assert plateau.step(value) == expected
    plateau.detach()
    model.train_on_batch(X, Y)
    unit_gradient.fit(model, 1)
    applied = unit_gradient.applied(model)
    np.testing.assert_allclose(applied, [0.4, 0.4, 0.2, 0.1, 0.1], atol=2e-6)


@pytest.mark.parametrize("own", OWN)
def test_fit_epoch_by_epoch(own):
    model, plateau = build(own), RULES["plateau"]()
    plateau.attach(model)
    expected = []
    for epoch, value in enumerate(VALUES):
        unit_gradient.fit(model, PER_EPOCH)
        plateau.step({"m": value})
        base = [0.4 * (1 - (own == "schedule") * (3 * epoch + i) / 30) for i in range(3)]
        expected += [rate * [1, 1, 0.5, 0.25, 0.25, 0.125][epoch] for rate in base]
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


def test_a_custom_step_of_the_back_end():
    if keras.backend.backend() == "jax":
        pytest.skip("there the user's step is given the optimizer's variables")
    optimizer = keras.optimizers.SGD(schedules.LinearDecay(0.4, 30))
    model = unit_gradient.build(optimizer)
    callback = RULES["plateau"]()
    callback.attach(model)
    weight = model.get_layer("trace_0").w
    before, moved = 0.0, []
    for value in VALUES:
        optimizer.apply([keras.ops.ones(())], [weight])
        callback.step(value)
        moved.append(before - float(weight))
        before = float(weight)
    expected = [0.4 * (1 - i / 30) * [1, 1, 0.5, 0.25, 0.25, 0.125][i] for i in range(6)]
    np.testing.assert_allclose(moved, expected, atol=2e-6)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="a step of JAX")
@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("is_written_back", [True, False])
def test_a_jitted_step_of_jax_whose_state_is_written_back(own, is_written_back):
    import jax

    model, recorder, plateau = build(own), callbacks.LearningRateRecorder(), RULES["plateau"]()
    optimizer, moved = model.optimizer, []
    optimizer.build(model.trainable_variables)
    for callback in (plateau, recorder):
        callback.attach(model)

    @jax.jit
    def take_step(weights, slots):
        return optimizer.stateless_apply(slots, [keras.ops.ones(())], weights)

    for value in VALUES:
        variables = model.trainable_variables, optimizer.variables
        weights, slots = ([v.value for v in each] for each in variables)
        for _ in range(2):
            before = float(weights[0])
            weights, slots = take_step(weights, slots)
            moved.append(before - float(weights[0]))
        if not is_written_back:
            with pytest.raises(ValueError, match="no update in this epoch.*write them back before"):
                plateau.step(value)
            return
        for variable, new in zip([*variables[0], *variables[1]], [*weights, *slots]):
            variable.assign(new)
        plateau.step(value)
        recorder.step()
    base = [0.4 * (1 - (own == "schedule") * i / 30) for i in range(12)]
    expected = np.multiply(base, np.repeat([1, 1, 0.5, 0.25, 0.25, 0.125], 2))
    np.testing.assert_allclose(moved, expected, atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, expected, atol=1e-7)
    assert {event.callback for event in recorder.events} == {"ReduceLROnPlateau"}


def test_a_stopped_loop_goes_on(tmp_path):
    def attached(model, epoch):
        plateau = callbacks.ReduceLROnPlateau(
            "m", factor=0.5, patience=1, mode="min", state_path=tmp_path / "state.json"
        )
        plateau.attach(model, initial_epoch=epoch)
        return plateau

    model, path = build(), tmp_path / "model.weights.h5"
    plateau = attached(model, 0)
    model.train_on_batch(X, Y)
    plateau.step(1.0)
    model.save_weights(path)
    model = build()
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)
    plateau = attached(model, 1)
    model.train_on_batch(X, Y)
    assert plateau.step(1.0) == 0.2
    model.train_on_batch(X, Y)
    np.testing.assert_allclose(unit_gradient.applied(model), [0.4, 0.4, 0.2], atol=2e-6)


def test_a_given_state_survives_the_attaching_of_others():
    plateau = RULES["plateau"]()
    state = {**plateau.get_state()}
    state["state"] = {**state["state"], "factor": 0.25, "best": 1.0}
    plateau.set_state(state)
    model = build()
    plateau.attach(model)
    callbacks.Warmup(2).attach(model)
    model.train_on_batch(X, Y)
    model.train_on_batch(X, Y)
    np.testing.assert_allclose(unit_gradient.applied(model), [0.05, 0.1], atol=2e-6)


def test_what_cannot_work_says_so():
    model, plateau = build(), RULES["plateau"]()
    with pytest.raises(ValueError, match=r"Call ReduceLROnPlateau.attach\(model\) before `step`"):
        plateau.step(1.0)
    plateau.attach(model)
    with pytest.raises(ValueError, match="optimizer .* has made no update in this epoch"):
        plateau.step(1.0)
    model.train_on_batch(X, Y)
    for value in [None, "1", [1.0, 2.0]]:
        with pytest.raises(ValueError, match="`value` must be a number, the value of m, or logs"):
            plateau.step(value)
    with pytest.raises(ValueError, match="monitors `m`, which epoch 1 did not bring"):
        plateau.step({"other": 1.0})
    with pytest.raises(ValueError, match="`fit` cannot have callbacks of keras_lr while others"):
        unit_gradient.fit(model, 1, 1, [callbacks.Warmup(2)])
    with pytest.raises(ValueError, match="must be attached before its first update"):
        callbacks.Warmup(2).attach(model)
    plateau.detach()
    callbacks.Warmup(2).attach(model)
    with pytest.raises(ValueError, match="`epochs` must be an integer >= 1"):
        callbacks.Warmup(2).attach(model, epochs=0)


def test_lengths_that_differ_are_refused():
    model = build()
    callbacks.Warmup(2).attach(model, epochs=3)
    with pytest.raises(ValueError, match=r"`epochs` must be 3, as for Warmup\(\)"):
        callbacks.Warmup(2).attach(model, epochs=4)
