"""`replay`: the rates are those that a real fit with these metrics has applied to the weights."""

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import matrix

from keras_lr.callbacks import (
    BoldDriver,
    FitSchedule,
    GreedyLR,
    LearningRateRecorder,
    LearningRateScheduler,
    LossThreshold,
    ReduceLROnPlateau,
    ValidationDecay,
    ValidationThreshold,
    replay,
)
from keras_lr.schedules import Constant, LinearDecay

nan = float("nan")
PER_EPOCH = 2
NOISY = [1.0, 0.8, 0.9, 0.7, 0.75, 0.8, 0.72, 0.4, 0.5, 0.6]
GAPS = [1.0, 0.8, None, 0.9, nan, 0.95, None, 0.3, 0.4, 0.5]

CASES = {
    "plateau": (ReduceLROnPlateau, {"factor": 0.5, "patience": 2, "cooldown": 1}),
    "plateau to a floor": (ReduceLROnPlateau, {"factor": 0.5, "patience": 1, "min_lr": 0.15}),
    "plateau later": (ReduceLROnPlateau, {"patience": 1, "start_from_epoch": 4, "smoothing": 0.5}),
    "plateau at NaN": (ReduceLROnPlateau, {"factor": 0.5, "on_nan": "reduce"}),
    "plateau stops": (ReduceLROnPlateau, {"factor": 0.5, "patience": 1, "on_nan": "stop"}),
    "loss threshold": (LossThreshold, {"thresholds": 0.75, "learning_rates": [0.125, 0.25]}),
    "threshold": (
        ValidationThreshold,
        {"thresholds": [0.5, 0.85], "learning_rates": [0.0, 0.25, 1.0], "hysteresis": 0.06},
    ),
    "decay": (ValidationDecay, {}),
    "bold": (BoldDriver, {}),
    "bold in bounds": (BoldDriver, {"increase": 1.5, "min_lr": 0.3, "max_lr": 0.6}),
    "greedy": (GreedyLR, {"patience": 1}),
    "greedy in bounds": (GreedyLR, {"patience": 1, "factor": 0.5, "min_lr": 0.2, "max_lr": 0.8}),
    "greedy begins anew": (
        GreedyLR,
        {"patience": 1, "factor": 0.5, "min_lr": 0.4, "reset_after": 2},
    ),
}


def made(name):
    kind, options = CASES[name]
    return kind(**options)


def assert_as_in_a_fit(callback, values, learning_rate, optimizer):
    found = replay(callback, values, learning_rate=learning_rate, steps_per_epoch=PER_EPOCH)
    model, recorder = unit_gradient.build(optimizer), LearningRateRecorder()
    used = [unit_gradient.Feed(values, callback.monitor), callback, recorder]
    history = unit_gradient.fit(model, PER_EPOCH, len(values), used)
    assert list(found.epochs) == history.epoch
    # The first update of every epoch, by how far the weight moved; and what would come next.
    firsts = unit_gradient.applied(model)[::PER_EPOCH]
    np.testing.assert_allclose(found.learning_rates[:-1], firsts, rtol=1e-5, atol=1e-6)
    assert len(found.factors) == len(found.learning_rates) == len(firsts) + 1
    assert found.factors[-1] == callback.state.factor
    assert [(e.epoch, e.callback, e.reason) for e in found.events] == [
        (e.epoch, e.callback, e.reason) for e in recorder.events
    ]
    rates = [[(e.before, e.after) for e in events] for events in (found.events, recorder.events)]
    np.testing.assert_allclose(*rates, rtol=1e-6)
    assert found.stopped == model.stop_training
    return found


@pytest.mark.parametrize(("name", "values"), matrix(CASES, [NOISY, GAPS]))
def test_rates_are_those_of_a_fit(name, values):
    found = assert_as_in_a_fit(made(name), values, 0.5, keras.optimizers.SGD(0.5))
    assert found.events or "at NaN" in name or "stops" in name


@pytest.mark.parametrize("name", ["plateau to a floor", "loss threshold", "bold in bounds"])
def test_rates_are_those_of_a_fit_on_a_schedule(name):
    plan = LinearDecay(0.5, 40)
    assert_as_in_a_fit(made(name), NOISY, plan, keras.optimizers.SGD(plan))


def test_a_schedule_in_epochs_and_percent():
    rule = ReduceLROnPlateau(patience=9)
    plan = LinearDecay(1.0, "100%").with_warmup("1 epochs")
    found = replay(rule, [1.0] * 5, learning_rate=plan, steps_per_epoch=4)
    expected = plan.resolve(5, steps_per_epoch=4).rates([0, 4, 8, 12, 16, 20])
    np.testing.assert_array_equal(found.learning_rates, expected)
    in_epochs = replay(rule, [1.0] * 5, learning_rate=LinearDecay(1.0, 5))
    np.testing.assert_allclose(in_epochs.learning_rates, [1.0, 0.8, 0.6, 0.4, 0.2, 0.0])


def test_a_run_that_was_resumed_has_the_clock_of_its_epochs():
    rows = [{"epoch": epoch, "val_loss": 1.0} for epoch in (3, 4, 5)]
    rule = ReduceLROnPlateau(factor=0.5, patience=1, start_from_epoch=4)
    found = replay(rule, rows, learning_rate=LinearDecay(1.0, 10))
    assert found.epochs == (3, 4, 5)
    assert [event.epoch for event in found.events] == [5]
    np.testing.assert_allclose(found.learning_rates, [0.7, 0.6, 0.5, 0.2])


@pytest.mark.parametrize("rates", [[0.4, 0.2, 0.1], (0.4, 0.2, 0.1, 0.1)])
def test_one_rate_per_epoch(rates):
    rule = ReduceLROnPlateau(factor=0.5, patience=1)
    found = replay(rule, [1.0, 2.0, 0.5], learning_rate=rates)
    np.testing.assert_allclose(found.learning_rates, [0.4, 0.2, 0.05, 0.05])


@pytest.mark.parametrize("name", CASES)
def test_the_callback_stays_as_it_is(name):
    callback = made(name)
    unit_gradient.fit(
        unit_gradient.build(keras.optimizers.SGD(0.5)),
        PER_EPOCH,
        2,
        [unit_gradient.Feed([1.0, 2.0], callback.monitor), callback],
    )
    before = dict(vars(callback))
    replay(callback, [1.0, 2.0, 3.0, 0.5], learning_rate=0.5)
    assert vars(callback) == before


def test_without_a_base_rates_are_multiples_of_one():
    found = replay(ReduceLROnPlateau(factor=0.5, patience=1), [1.0, 2.0])
    assert found.learning_rates.tolist() == found.factors.tolist() == [1.0, 1.0, 0.5]


@pytest.mark.parametrize(
    "name", [n for n in CASES if "floor" in n or "in bounds" in n or "thr" in n]
)
def test_absolute_rates_need_a_base(name):
    with pytest.raises(ValueError, match="`learning_rate` must be given for a .* absolute rates"):
        replay(made(name), NOISY)


def test_direction_is_that_of_the_name_or_has_to_be_said():
    rising = {"val_accuracy": [0.5, 0.6, 0.7], "quality": [0.5, 0.6, 0.7]}
    assert not replay(ReduceLROnPlateau("val_accuracy", patience=1), rising).events
    with pytest.raises(ValueError, match="`mode` must be 'min' or 'max'.*quality"):
        replay(ReduceLROnPlateau("quality", patience=1), rising)
    assert not replay(ReduceLROnPlateau("quality", patience=1, mode="max"), rising).events
    assert len(replay(ReduceLROnPlateau("quality", patience=1, mode="min"), rising).events) == 2


def test_direction_is_that_of_the_model_which_the_callback_was_in():
    metric = keras.metrics.BinaryAccuracy(name="quality")
    model = unit_gradient.build(keras.optimizers.SGD(0.5), metrics=[metric])
    rule = ReduceLROnPlateau("quality", patience=1)
    history = unit_gradient.fit(model, PER_EPOCH, 1, [rule])
    assert "quality" in history.history
    assert not replay(rule, [0.5, 0.6, 0.7]).events


def test_a_history_a_file_and_a_recorder_give_the_same(tmp_path):
    model, recorder = unit_gradient.build(keras.optimizers.SGD(0.5)), LearningRateRecorder()
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    used = [unit_gradient.Feed(NOISY), recorder, logger]
    history = unit_gradient.fit(model, PER_EPOCH, len(NOISY), used)
    rule = ReduceLROnPlateau("loss", factor=0.5, patience=2)
    expected = replay(rule, NOISY).factors
    assert expected[-1] < 1
    for metrics in (history, history.history, tmp_path / "log.csv", recorder, {"loss": NOISY}):
        np.testing.assert_array_equal(replay(rule, metrics).factors, expected)


def test_what_is_found_can_be_read_and_not_written():
    found = replay(
        ReduceLROnPlateau(factor=0.5, patience=1, on_nan="stop"), [1.0, None, 2.0, nan, 3.0]
    )
    assert repr(found).splitlines() == [
        "ReduceLROnPlateau on 4 epochs of val_loss, changes: 1, then a stop",
        "epoch 3: ReduceLROnPlateau 1 -> 0.5 (val_loss no better than 1 for 1 evaluations)",
    ]
    np.testing.assert_array_equal(found.values, [1.0, nan, 2.0, nan])
    with pytest.raises(AttributeError):
        found.factors = []
    with pytest.raises(ValueError, match="read-only"):
        found.factors[0] = 2.0


def test_nothing_is_said_twice(capsys):
    replay(ReduceLROnPlateau(patience=1, verbose=1), [1.0, 2.0])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "callback",
    [
        FitSchedule(Constant(0.1)),
        LearningRateScheduler(lambda epoch: 0.1),
        keras.callbacks.ReduceLROnPlateau(),
        None,
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_only_callbacks_that_follow_a_metric(callback):
    with pytest.raises(ValueError, match="`callback` must be a callback of keras_lr that follows"):
        replay(callback, [1.0])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"learning_rate": -0.1}, "`learning_rate` must be a finite number >= 0. Received"),
        ({"learning_rate": "fast"}, "`learning_rate` must be a"),
        ({"learning_rate": [0.1]}, "one rate for each of the 3 epochs.*Received"),
        ({"learning_rate": [0.1, 0.1, nan]}, r"`learning_rate\[2\]` must be"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch` must be an integer >= 1.*Received"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        replay(ReduceLROnPlateau(), [1.0, 2.0, 3.0], **options)
