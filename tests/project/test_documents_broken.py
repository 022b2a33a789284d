"""The documents' examples that never worked: each first as it is, broken, then as it should be.

The quoted snippets are shortened to the lines that matter. Their rules are in test_documents.py.
"""

import builtins
import math
import symtable
import warnings

import keras
import numpy as np
import pytest
from keras import ops
from support import unit_gradient

from keras_lr import callbacks, schedules

SGD = keras.optimizers.SGD


def undefined_names(source):
    """Returns the names that a script reads at its top level and never binds anywhere."""
    table = symtable.symtable(source, "document", "exec")
    tables = [table, *table.get_children()]
    symbols = [
        symbol for t in tables for symbol in t.get_symbols() if symbol.is_global() or t is table
    ]
    bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    read = {s.get_name() for s in symbols if s.is_referenced()}
    return read - bound - set(dir(builtins))


# B1: a class that no release has


def document_linear(epoch):
    return 0.001 * (1 - 0.96 * epoch / 10000)


@keras.saving.register_keras_serializable("keras_lr_tests")
def to_four_percent(t):
    return 1 - 0.96 * ops.minimum(t / 10, 1)


def test_b1_the_class_does_not_exist_and_its_lambda_is_no_linear_decay():
    with pytest.raises(AttributeError, match="LambdaDecay"):
        keras.optimizers.schedules.LambdaDecay(0.001, decay_steps=10000, decay_rate=0.96)
    assert math.isclose(document_linear(10000), 0.04 * 0.001)
    assert document_linear(10500) < 0


def test_b1_lambda_decay_exists_trains_and_is_saved(tmp_path):
    model = unit_gradient.build(SGD(schedules.LambdaDecay(0.1, to_four_percent)))
    unit_gradient.fit(model, 12)
    expected = [0.1 * (1 - 0.96 * min(t / 10, 1)) for t in range(12)]
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=1e-6)

    plain = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    plain.compile(SGD(schedules.LambdaDecay(0.1, to_four_percent)), "mse")
    plain.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer._learning_rate == schedules.LambdaDecay(0.1, to_four_percent)


def test_b1_linear_decay_ends_at_zero_and_stays_there():
    rates = schedules.LinearDecay(0.001, 10000).rates([0, 5000, 10000, 20000])
    np.testing.assert_allclose(rates, [0.001, 0.0005, 0.0, 0.0], atol=1e-18)


# B2: NumPy inside a compiled step


class NumpyInTheStep(keras.optimizers.schedules.LearningRateSchedule):
    """What the document means by its random rate, in the only form in which Keras takes it."""

    def __call__(self, step):
        return np.random.uniform(0.001, 0.01)


def test_b2_numpy_in_the_step_is_frozen_or_cannot_be_repeated():
    def run():
        model = unit_gradient.build(SGD(NumpyInTheStep()))
        unit_gradient.fit(model, 3, 2)
        return unit_gradient.applied(model)

    first, second = run(), run()
    if keras.config.backend() == "torch":
        # Nothing is compiled here: a draw per update, not per period, and never the same again.
        assert len(set(first.round(7))) == 6
    else:
        np.testing.assert_allclose(first, first[0], atol=1e-7)
    assert abs(first - second).max() > 1e-6


def test_b2_random_learning_rate_is_drawn_every_period_and_repeatable():
    model = unit_gradient.build(SGD(0.5))
    unit_gradient.fit(model, 3, 4, [callbacks.RandomLearningRate(0.001, 0.01, seed=1)])
    expected = schedules.RandomUniform(0.001, 0.01, every=3, seed=1).rates(12)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=1e-7)
    assert len(set(expected)) == 4


# B3: a schedule assigned to an optimizer that was built with a float


def document_staircase():
    return keras.optimizers.schedules.ExponentialDecay(0.1, 10000, 0.96, staircase=True)


def test_b3_the_assigned_schedule_is_not_the_defined_one():
    optimizer = SGD(0.1)
    optimizer.learning_rate = document_staircase()
    model = unit_gradient.build(optimizer)
    unit_gradient.fit(model, 2, 4)
    # Defined: 0.96 more per epoch. Applied: nothing happens before update 10000.
    np.testing.assert_allclose(unit_gradient.applied(model), 0.1, atol=1e-6)


def test_b3_assigned_between_fits_it_is_ignored_or_out_of_step():
    model = unit_gradient.build(SGD(0.1))
    unit_gradient.fit(model, 2)
    model.optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    shown = float(ops.convert_to_numpy(model.optimizer.learning_rate))
    unit_gradient.fit(model, 2)
    applied = unit_gradient.applied(model)[2:]
    assert math.isclose(shown, 0.1 * 0.5**2, rel_tol=1e-6)
    if keras.config.backend() == "tensorflow":
        # The compiled step still has the old rate in it, whatever the optimizer shows.
        np.testing.assert_allclose(applied, 0.1, atol=1e-6)
    else:
        np.testing.assert_allclose(applied, [0.1 * 0.5**2, 0.1 * 0.5**3], atol=1e-6)


def test_b3_assignment_changes_the_checkpoint_layout(tmp_path):
    def trained():
        model = unit_gradient.build(SGD(0.1, momentum=0.9))
        unit_gradient.fit(model, 2)
        return model

    path = tmp_path / "before.weights.h5"
    trained().save_weights(path)
    assigned, driven = trained(), trained()
    assigned.optimizer.learning_rate = document_staircase()
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer"):
        assigned.load_weights(path)
    unit_gradient.fit(driven, 2, 2, [callbacks.FitSchedule(document_staircase())])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        driven.load_weights(path)
    assert int(driven.optimizer.iterations) == 2


@pytest.mark.parametrize("fits_before", [0, 1])
def test_b3_a_schedule_in_epochs_in_any_fit(fits_before):
    model = unit_gradient.build(SGD(0.1))
    for _ in range(fits_before):
        unit_gradient.fit(model, 2)
    schedule = schedules.ExponentialDecay(0.1, "1 epoch", 0.96, staircase=True)
    unit_gradient.fit(model, 2, 4, [callbacks.FitSchedule(schedule)])
    expected = np.repeat([0.1 * 0.96**epoch for epoch in range(4)], 2)
    np.testing.assert_allclose(unit_gradient.applied(model)[-8:], expected, atol=1e-6)


def test_b3_or_passed_to_the_constructor():
    schedule = schedules.StepDecay(0.1, step_size=2, decay_rate=0.96)
    model = unit_gradient.build(SGD(schedule))
    unit_gradient.fit(model, 2, 4)
    expected = np.repeat([0.1 * 0.96**epoch for epoch in range(4)], 2)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=1e-6)


# B4: a linear decay that turns around


def document_stepped(initial_lr, decay_rate, decay_step, current_step):
    return initial_lr * (1 - decay_rate * (current_step // decay_step))


def test_b4_the_stepped_decay_goes_negative():
    assert document_stepped(0.01, 0.001, 100, 200) > 0
    assert document_stepped(0.01, 0.001, 100, 100_100) < 0


def test_b4_the_stepped_decay_stops_at_zero():
    schedule = schedules.LinearDecay.from_rate(0.01, 0.01 * 0.001 / 100).hold(100)
    steps = np.arange(0, 200_000, 50)
    expected = [max(document_stepped(0.01, 0.001, 100, int(t)), 0) for t in steps]
    np.testing.assert_allclose(schedule.rates(steps), expected, rtol=1e-12, atol=1e-16)
    assert schedule.rates([10**9]) == 0


# B5: rates that nobody applies

B5_SNIPPETS = {
    "validation": (
        """
def adjust(model, valid_loader, lr1, lr2):
    return lr1 if validate(model, valid_loader) < threshold else lr2
def validate(model, valid_loader):
    return 0.05
lr1, lr2, threshold = 0.01, 0.001, 0.1
lr = adjust(model, valid_loader, lr1, lr2)
""",
        {"model", "valid_loader"},
    ),
    "loss": (
        """
def adjust(model, loss, threshold):
    return lr1 if loss < threshold else lr2
lr1, lr2, threshold = 0.01, 0.001, 0.1
lr = adjust(model, loss, threshold)
""",
        {"model", "loss"},
    ),
    "random": (
        """
def adjust(model, initial_lr, r):
    return initial_lr * (1 + r)
initial_lr, r = 0.01, 0.002
lr = adjust(model, initial_lr, r)
""",
        {"model"},
    ),
}


@pytest.mark.parametrize("snippet", B5_SNIPPETS)
def test_b5_the_snippets_use_undefined_names_and_apply_nothing(snippet):
    source, undefined = B5_SNIPPETS[snippet]
    assert undefined_names(source) == undefined
    with pytest.raises(NameError, match="model"):
        exec(source, {})
    # With everything defined, a number comes back and the optimizer has not heard of it.
    model = unit_gradient.build(SGD(0.1))
    names = {"model": model, "loss": 0.05, "valid_loader": []}
    exec(source, names)
    unit_gradient.fit(model, 2)
    assert math.isclose(names["lr"], 0.01, rel_tol=0.01)
    np.testing.assert_allclose(unit_gradient.applied(model), 0.1, atol=1e-6)


def test_b5_callbacks_apply_what_they_decide():
    model = unit_gradient.build(SGD(0.1))
    rules = [callbacks.LossThreshold(-0.25, [0.02, 0.2]), callbacks.RandomJitter(0.005, seed=3)]
    unit_gradient.fit(model, 2, 3, rules)
    jitter = schedules.Jitter(1.0, 0.005, every=2, seed=3).rates(6)
    # The loss is the weight: about -0.05 in the first epoch, -0.3 in the second.
    expected = np.array([0.1, 0.1, 0.2, 0.2, 0.02, 0.02]) * jitter
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=1e-6)
