"""`Stages`: layers, rate and warmup of each stage, on the weights, with other callbacks alive."""

import csv
import pickle

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import cells, once

from keras_lr import callbacks, get_rate, schedules
from keras_lr.callbacks import Stage, Stages

PER_EPOCH = 2
HEAD, BODY = "trace_1", "trace_0"


def model_of(optimizer=None):
    return unit_gradient.build(optimizer or keras.optimizers.SGD(0.7), layers=2)


def staged(**second):
    """Two epochs of the head at 0.1, then two of everything, from 0.4 down to 0."""
    whole = schedules.LinearDecay(0.4, "100%")
    return Stages([Stage(0.1, 2, train="*_1"), Stage(whole, 2, train="*", **second)])


HEAD_RATES = np.array([0.1] * 4 + [0.4, 0.3, 0.2, 0.1])
BODY_RATES = np.array([0.0] * 4 + [0.4, 0.3, 0.2, 0.1])


def fit(model, epochs, used, **options):
    return unit_gradient.fit(model, PER_EPOCH, epochs, used, **options).history


def check(model, head=HEAD_RATES, body=BODY_RATES):
    for layer, expected in ((HEAD, head), (BODY, body)):
        np.testing.assert_allclose(unit_gradient.applied(model, layer), expected, atol=2e-6)


OPTIMIZERS = {
    "number": lambda: keras.optimizers.SGD(0.7),
    "schedule": lambda: keras.optimizers.SGD(schedules.Constant(0.7)),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.7), 1.0),
}


@pytest.mark.parametrize("kind", cells(OPTIMIZERS, ["number"]))
def test_a_head_first_then_everything(kind):
    model, recorder = model_of(OPTIMIZERS[kind]()), callbacks.LearningRateRecorder()
    history = fit(model, 4, [staged(), recorder])
    check(model)
    np.testing.assert_allclose(recorder.learning_rate, HEAD_RATES, atol=1e-7)
    assert recorder.updates.tolist() == list(range(8))
    assert history["learning_rate"] == pytest.approx(HEAD_RATES[1::2])


@once
def test_all_other_callbacks_go_on():
    used = [
        unit_gradient.Feed([1.0] * 4),
        callbacks.ReduceLROnPlateau("loss", 0.5, patience=1),
        staged(warmup="1 epoch"),
        callbacks.Warmup(6),
    ]
    model = model_of()
    fit(model, 4, used)
    # Cut after epochs 2, 3; the stage climbs over its first 2 updates, the run over its first 6.
    factor = np.array([1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]) * np.minimum(np.arange(1, 9) / 6, 1)
    stage = [0.1] * 4 + [0.2, 0.4, 0.4, 0.3]
    check(model, stage * factor, np.where(BODY_RATES > 0, stage * factor, 0))


@unit_gradient.needs_multi_optimizer
@pytest.mark.parametrize("by_layer", [{"multipliers": {BODY: 0.5}}])
def test_rates_by_layer_in_a_stage(by_layer, tmp_path):
    model, recorder = model_of(), callbacks.LearningRateRecorder()
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = fit(model, 4, [staged(**by_layer), recorder, log])
    check(model, body=0.5 * BODY_RATES)
    # The columns of the first epoch, of which there is one; the record has all.
    assert history["learning_rate"] == pytest.approx(HEAD_RATES[1::2])
    assert {len(values) for values in history.values()} == {4}
    with open(tmp_path / "log.csv") as file:
        rows = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    assert rows == pytest.approx(HEAD_RATES[1::2])
    rates = recorder.learning_rates
    assert {len(values) for values in rates.values()} == {8} and len(rates) == 3
    np.testing.assert_allclose(rates["rest"][4:], HEAD_RATES[4:])
    (first,) = rates.keys() - {"rest", BODY}
    np.testing.assert_allclose(rates[first][:4], 0.1)
    assert np.isnan(rates["rest"][:4]).all() and np.isnan(rates[first][4:]).all()


@once
def test_a_stage_of_another_rate_goes_on_with_its_moments():
    model = model_of(keras.optimizers.SGD(0.7, momentum=0.5))
    optimizer = model.optimizer
    fit(model, 2, [Stages([Stage(0.1, 1), Stage(0.2)])])
    assert model.optimizer is optimizer
    # As Keras has it: m ← 0.5 m + rate.
    check(model, *[[0.1, 0.15, 0.275, 0.3375]] * 2)


@once
def test_an_optimizer_of_a_stage_and_of_those_after_it():
    adam = keras.optimizers.Adam(0.5)
    stages = Stages([Stage(0.1, 1), Stage(0.2, 1, optimizer=adam), Stage(0.3, train="*_1")])
    model = model_of()
    fit(model, 3, [stages])
    assert type(model.optimizer) is type(adam) and model.optimizer is not adam
    # Adam moves by its rate where the gradient is 1.
    head = np.repeat([0.1, 0.2, 0.3], 2)
    np.testing.assert_allclose(unit_gradient.applied(model, HEAD), head, atol=1e-5)
    np.testing.assert_allclose(unit_gradient.applied(model, BODY)[4:], 0.0, atol=1e-7)


def test_a_fit_that_begins_later_begins_in_its_stage():
    model = model_of()
    fit(model, 4, [staged()], initial_epoch=3)
    check(model, HEAD_RATES[6:], BODY_RATES[6:])


@once
def test_a_second_fit_begins_with_the_first_stage_and_copies_can_be_made():
    model, stages = model_of(), staged()
    fit(model, 4, [stages])
    assert get_rate(model) == pytest.approx(0.7)
    stages.set_model(None)
    fit(model, 4, [pickle.loads(pickle.dumps(stages))])
    check(model, np.tile(HEAD_RATES, 2), np.tile(BODY_RATES, 2))


@once
def test_a_frozen_normalisation_keeps_its_statistics():
    layers = [
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.Dense(1, name="head"),
    ]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(3.0, 1.0, (8, 2)).astype("float32")
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(np.array(layers[0].moving_mean).sum())
    )
    stages = Stages([Stage(0.01, 1, train="head"), Stage(0.01, 1, train="*")])
    model.fit(x, x[:, :1], epochs=2, callbacks=[stages, watch], verbose=0)
    assert seen[0] == 0.0 and seen[1] != 0.0


@once
def test_what_is_frozen_by_itself_stays_so():
    layer = keras.layers.Dense(2, name="body")
    model = keras.Sequential([keras.Input((2,)), layer, keras.layers.Dense(1, name="head")])
    layer.enable_lora(1)
    model.compile("sgd", "mse")
    before, x = np.array(layer._kernel), np.ones((4, 2))
    stages = Stages([Stage(0.1, 1, train="head"), Stage(0.1, 1, train="*")])
    model.fit(x, x[:, :1], epochs=2, callbacks=[stages], verbose=0)
    assert np.array_equal(np.array(layer._kernel), before)
    assert any("lora" in weight.path for weight in model.trainable_variables)


BAD_STAGES = {
    "a rate": (lambda: Stage("fast"), "`learning_rate` must be"),
    "epochs": (lambda: Stage(0.1, 0), "`epochs` must be an integer >= 1"),
    "a pattern": (lambda: Stage(0.1, 1, train=[]), "`train` must be a pattern"),
    "a number": (lambda: Stage(0.1, 1, train=3), "`train` must be a pattern"),
    "a warmup": (lambda: Stage(0.1, 1, warmup=-1), "`warmup` must be"),
    "two ways": (lambda: Stage(0.1, multipliers={"a": 1}, decay=0.5), "`decay` must be None where"),
    "multipliers": (lambda: Stage(0.1, multipliers=[]), "`multipliers` must be a dictionary"),
    "a decay": (lambda: Stage(0.1, decay=2), "`decay` must be"),
    "an optimizer": (lambda: Stage(0.1, optimizer="sgd"), "`optimizer` must be an optimizer"),
    "none": (lambda: Stages([]), "`stages` must be a list of `Stage`"),
    "one": (lambda: Stages(Stage(0.1)), "`stages` must be a list of `Stage`"),
    "a number for a stage": (lambda: Stages([0.1]), r"`stages\[0\]` must be a `Stage`"),
    "open": (lambda: Stages([Stage(0.1), Stage(0.1)]), r"`epochs` must be a number for stages\[0"),
}


@once
@pytest.mark.parametrize("what", BAD_STAGES)
def test_bad_arguments(what):
    make, message = BAD_STAGES[what]
    with pytest.raises(ValueError, match=message):
        make()


# What is found before the first batch: the stages, what else is in the fit, and the message.
BAD_FITS = {
    "too long": (lambda: staged(), [], 3, "`stages` must be 3 epochs in all, as `fit`"),
    "too short": (lambda: staged(), [], 5, "`stages` must be 5 epochs in all"),
    "never": (lambda: Stages([Stage(0.1, 3), Stage(0.1)]), [], 3, "must be less than 3 epochs"),
    "a name": (
        lambda: Stages([Stage(0.1, 1), Stage(0.1, train="block*")]),
        [],
        2,
        "`train` must be patterns that match one of trace_0, trace_1. Received: train='block",
    ),
    "by layer": (
        lambda: Stages([Stage(0.1, 1), Stage(0.1, multipliers={"block*": 0.5})]),
        [],
        2,
        "matches none of trace_0, trace_1",
    ),
    "two bases": (staged, [callbacks.FitSchedule(0.1)], 4, "Received: Stages and FitSchedule"),
    "recovery": (staged, [callbacks.RecoverFromDivergence()], 4, "Received: RecoverFromDiverg"),
    "all back": (
        staged,
        [callbacks.ReduceLROnPlateau("loss", restore_best="all")],
        4,
        r"Received: ReduceLROnPlateau\(restore_best='all'\)",
    ),
}


@pytest.mark.parametrize("what", cells(BAD_FITS, ["a name", "too long"]))
def test_what_cannot_work_is_said_before_training(what):
    make, others, epochs, message = BAD_FITS[what]
    if what == "by layer" and not hasattr(keras.optimizers, "MultiOptimizer"):
        pytest.skip("Keras 3.14 has no MultiOptimizer")
    model = model_of()
    flags = [layer.trainable for layer in model.layers]
    with pytest.raises(ValueError, match=message):
        fit(model, epochs, [make(), *others])
    assert len(unit_gradient.applied(model)) == 0
    assert [layer.trainable for layer in model.layers] == flags


@once
def test_in_a_loop_of_ones_own_it_is_refused():
    with pytest.raises(ValueError, match="Stages must be given to `fit`"):
        staged().attach(model_of())
