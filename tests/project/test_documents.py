"""Every learning-rate rule of the source documents, by its public name, against its formula.

The formulas are the documents', in plain Python; where one would go below its floor (rows 2 to 4)
the test says so. Rows are those of the table of rules; row 21, the optimizers, is in
test_documents_optimizers.py, the examples that never worked in test_documents_broken.py.
"""

import csv
import math

import keras
import numpy as np
import pytest
from support import unit_gradient

import keras_lr
from keras_lr import callbacks, plotting, schedules

PEAK, UPDATES = 0.4, 30


def clipped(formula, floor=0.0):
    """A document's formula as far as it makes sense: no rate below the floor."""
    return lambda t: max(formula(t), floor)


# Each: a schedule, and the document's formula.
RULES = {
    "1 constant": (schedules.Constant(PEAK), lambda t: PEAK),
    "2 linear decay": (schedules.LinearDecay(PEAK, 20), clipped(lambda t: PEAK * (1 - t / 20))),
    "3 linear decay by rate": (
        schedules.LinearDecay.from_rate(PEAK, 0.03, end_learning_rate=0.05),
        clipped(lambda t: PEAK - 0.03 * t, 0.05),
    ),
    "4 stepped linear decay": (
        schedules.LinearDecay.from_rate(PEAK, PEAK * 0.3 / 4).hold(4),
        clipped(lambda t: PEAK * (1 - 0.3 * (t // 4))),
    ),
    "5 exponential, time constant": (
        schedules.NaturalExponentialDecay(PEAK, 20, decay_rate=1.0),
        lambda t: PEAK * math.e ** (-t / 20),
    ),
    "6 exponential by rate": (
        schedules.ExponentialDecay(PEAK, 20, 0.3),
        lambda t: PEAK * 0.3 ** (t / 20),
    ),
    "7 exponential per step": (
        schedules.ExponentialDecay(PEAK, 1, 0.9),
        lambda t: PEAK * 0.9**t,
    ),
    "8 natural exponential": (
        schedules.NaturalExponentialDecay(PEAK, decay_rate=0.1),
        lambda t: PEAK * math.e ** (-0.1 * t),
    ),
    "9 staircase exponential": (
        schedules.StepDecay(PEAK, 7, 0.5),
        lambda t: PEAK * 0.5 ** (t // 7),
    ),
    "9 staircase exponential, Keras' name": (
        schedules.ExponentialDecay(PEAK, 7, 0.5, staircase=True),
        lambda t: PEAK * 0.5 ** (t // 7),
    ),
    "10 power decay": (
        schedules.PolynomialDecay(PEAK, 20, 0.0, power=2.5),
        lambda t: PEAK * max(1 - t / 20, 0) ** 2.5,
    ),
    "11 piecewise constant": (
        schedules.MultiStepDecay(PEAK, ["10 epochs", "20 epochs"], 0.1).resolve(steps_per_epoch=1),
        lambda t: PEAK if t < 10 else PEAK / 10 if t < 20 else PEAK / 100,
    ),
    "25 warmup": (
        schedules.LinearDecay(PEAK, 20).with_warmup(5),
        lambda t: PEAK * (t + 1) / 5 if t < 5 else PEAK * max(1 - (t - 5) / 20, 0),
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule_has_the_rates_of_its_formula(rule):
    schedule, formula = RULES[rule]
    expected = [formula(t) for t in range(1000)]
    np.testing.assert_allclose(schedule.rates(1000), expected, rtol=1e-12, atol=1e-15)


def test_rules_move_the_weights_by_their_formulas():
    # One model, one weight and one optimizer per rule: gradient 1, so weights fall by the rate.
    first, *others = [keras.optimizers.SGD(schedule) for schedule, _ in RULES.values()]
    by_path = {f"trace_{i}/.*": optimizer for i, optimizer in enumerate(others, start=1)}
    groups = keras.optimizers.OptimizerMap(first, by_path)
    model = unit_gradient.build(keras.optimizers.MultiOptimizer(groups), layers=len(RULES))
    unit_gradient.fit(model, UPDATES)
    for i, (rule, (_, formula)) in enumerate(RULES.items()):
        applied = unit_gradient.applied(model, f"trace_{i}")
        expected = [formula(t) for t in range(UPDATES)]
        np.testing.assert_allclose(applied, expected, atol=2e-6, err_msg=rule)


def test_row_11_as_the_document_states_it_in_epochs():
    planned = schedules.MultiStepDecay(0.1, ["50 epochs", "100 epochs"], 0.1)
    by_epoch = planned.resolve(epochs=150, steps_per_epoch=7).rates(150 * 7).reshape(150, 7)
    expected = np.repeat([0.1, 0.01, 0.001], 50)
    np.testing.assert_allclose(by_epoch, np.tile(expected, (7, 1)).T, rtol=1e-12)


def test_row_12_a_random_rate_for_each_training_period():
    def run():
        model = unit_gradient.build(keras.optimizers.SGD(0.5))
        callback = callbacks.RandomLearningRate(0.001, 0.01, seed=5)
        unit_gradient.fit(model, 4, 6, [callback])
        return unit_gradient.applied(model).reshape(6, 4)

    applied = run()
    np.testing.assert_allclose(applied, applied[:, :1] * np.ones(4), atol=1e-7)
    assert ((applied > 0.001) & (applied < 0.01)).all()
    assert len(set(applied[:, 0].round(6))) == 6
    np.testing.assert_array_equal(applied, run())
    # The same as a schedule: a pure function of (seed, t), so it can be known before training.
    planned = schedules.RandomUniform(0.001, 0.01, every=4, seed=5).rates(24)
    np.testing.assert_allclose(applied.ravel(), planned, atol=1e-7)


def test_row_12_draws_are_uniform():
    draws = schedules.RandomUniform(0.001, 0.01, seed=5).rates(100_000)
    shares = np.histogram(draws, bins=9, range=(0.001, 0.01))[0] / len(draws)
    # Five standard errors of a share of 1/9.
    np.testing.assert_allclose(shares, 1 / 9, atol=5 * math.sqrt(1 / 9 * 8 / 9 / len(draws)))


def test_row_13_a_random_perturbation():
    model = unit_gradient.build(keras.optimizers.SGD(0.01))
    unit_gradient.fit(model, 2, 8, [callbacks.RandomJitter(0.005, seed=5)])
    r = unit_gradient.applied(model) / 0.01 - 1
    assert (abs(r) < 0.0051).all()
    assert abs(r).max() > 0.002
    np.testing.assert_allclose(r[::2], r[1::2], atol=2e-5)
    planned = schedules.Jitter(0.01, 0.005, every=2, seed=5).rates(16)
    np.testing.assert_allclose(r, planned / 0.01 - 1, atol=2e-5)


def test_row_14_validation_threshold():
    low, high, threshold = 0.05, 0.2, -1.0
    model = unit_gradient.build(keras.optimizers.SGD(0.1))
    rule = callbacks.ValidationThreshold(threshold, [low, high])
    data = unit_gradient.batches(1)
    unit_gradient.fit(model, 3, 5, [rule], validation_data=data)
    weight, rate, expected = 0.0, 0.1, []
    for _ in range(5):
        expected += 3 * [rate]
        weight -= 3 * rate
        # The loss of this model is its weight.
        rate = low if weight < threshold else high
    assert expected[-1] == low
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


def test_row_15_loss_threshold():
    low, high, threshold = 0.05, 0.2, -1.0
    model = unit_gradient.build(keras.optimizers.SGD(0.1))
    unit_gradient.fit(model, 3, 5, [callbacks.LossThreshold(threshold, [low, high])])
    weight, rate, expected = 0.0, 0.1, []
    for _ in range(5):
        loss = np.mean([weight - i * rate for i in range(3)])
        expected += 3 * [rate]
        weight -= 3 * rate
        rate = low if loss < threshold else high
    assert expected[-1] == low
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


def test_row_16_validation_decay():
    losses = [1.0, 0.8, 0.9, 0.85, 0.9, 1.0, 0.9, 0.5]
    model = unit_gradient.build(keras.optimizers.SGD(0.3))
    feed = unit_gradient.Feed(losses, "val_loss")
    unit_gradient.fit(model, 2, 8, [feed, callbacks.ValidationDecay()])
    # Worse from epoch t_p = 3 on: t_d = 1 to 5 such epochs, each of which counts for the next.
    t_p, worse_for = 3, [0, 0, 0, 1, 2, 3, 4, 5]
    factors = [min(1, 1 / min(t_p, t_d)) if t_d else 1 for t_d in worse_for]
    assert factors[-3:] == [1 / 3, 1 / 3, 1 / 3]
    expected = np.repeat(0.3 * np.array(factors), 2)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)


def test_rows_17_to_20_initial_rates():
    assert schedules.LinearDecay(PEAK, 20).rates(1).tolist() == [PEAK]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    parameters = (3 * 4 + 4) + (4 * 2 + 2)
    assert keras_lr.learning_rate_for_data_size(50.0, 60_000) == 50.0 / 60_000
    assert keras_lr.learning_rate_for_model(0.5, model) == 0.5 / parameters
    scale = keras_lr.scale_learning_rate
    assert scale(0.1, batch_size=8192, base_batch_size=256) == 0.1 * 8192 / 256
    np.testing.assert_allclose(
        scale(0.001, batch_size=8192, base_batch_size=256, rule="sqrt"),
        0.001 * math.sqrt(8192 / 256),
        rtol=1e-12,
    )


def test_row_26_tools_that_see_the_rate(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    model = unit_gradient.build(keras.optimizers.SGD(0.5))
    recorder, logger = callbacks.LearningRateRecorder(), tmp_path / "log.csv"
    shown = []
    watch = keras.callbacks.LambdaCallback(
        # What Keras' TensorBoard callback reads at the end of an epoch: the applied rate.
        on_epoch_end=lambda epoch, logs: shown.append(float(model.optimizer.learning_rate))
    )
    linear = callbacks.FitSchedule(schedules.LinearDecay(PEAK, "100%"))
    csv_logger = keras.callbacks.CSVLogger(logger)
    history = unit_gradient.fit(model, 2, 3, [linear, recorder, csv_logger, watch])
    applied = unit_gradient.applied(model)
    np.testing.assert_allclose(recorder.learning_rate, applied, atol=2e-6)
    np.testing.assert_allclose(history.history["learning_rate"], applied[1::2], atol=2e-6)
    with open(logger) as file:
        rows = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(rows, applied[1::2], atol=2e-6)
    np.testing.assert_allclose(shown, applied[1::2], atol=2e-6)
    axes = plotting.plot_schedules([linear.schedule])
    drawn = axes.get_lines()[0].get_xydata()
    np.testing.assert_allclose(np.interp(np.arange(6), *drawn.T), applied, atol=2e-6)
    assert recorder.plot() is not None
    matplotlib.pyplot.close("all")
