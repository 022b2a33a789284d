"""What users of other tools suffer from, as it was reported, and what happens here instead.

Judged by how far weights move.
"""

import math
import warnings

import keras
import numpy as np
import pytest
from support import unit_gradient

from keras_lr import callbacks, get_rate, schedules


def rates_of(model):
    return unit_gradient.applied(model)


def plateau(**options):
    return callbacks.ReduceLROnPlateau(
        **{"monitor": "m", "factor": 0.5, "patience": 2, "mode": "min", **options}
    )


def feed(*values, name="m"):
    return unit_gradient.Feed(list(values), name)


def sgd(rate=0.4, **options):
    return unit_gradient.build(keras.optimizers.SGD(rate), **options)


def test_01_callbacks_cannot_touch_an_optimizer_with_a_schedule():
    model = sgd(keras.optimizers.schedules.CosineDecay(0.4, 20))
    unit_gradient.fit(model, 2, 7, [feed(*[1.0] * 7), plateau()])
    cuts = [0, 0, 0, 1, 1, 2, 2]
    expected = [0.2 * (1 + math.cos(math.pi * t / 20)) * 0.5 ** cuts[t // 2] for t in range(14)]
    np.testing.assert_allclose(rates_of(model), expected, atol=2e-6)


def test_01_a_factor_of_nearly_nothing_stops_the_weights():
    # On JAX a factor in a variable of the schedule is compiled into the step, and reads as changed.
    model = sgd(schedules.Constant(0.4))
    unit_gradient.fit(model, 1, 4, [feed(1.0, 1.0, 1.0, 1.0), plateau(factor=1e-9, patience=1)])
    np.testing.assert_allclose(rates_of(model), [0.4, 0.4, 0.0, 0.0], atol=1e-8)


def test_03_a_second_fit_trains_at_the_end_of_its_schedule_unnoticed():
    model = sgd(schedules.LinearDecay(0.4, 4))
    unit_gradient.fit(model, 4)
    with pytest.warns(UserWarning, match="is exhausted: it ends at step 4, the optimizer counts 4"):
        unit_gradient.fit(model, 4, 1, [callbacks.LearningRateRecorder()])
    unit_gradient.fit(model, 4, 1, [callbacks.FitSchedule(schedules.LinearDecay(0.4, "100%"))])
    np.testing.assert_allclose(rates_of(model)[8:], [0.4, 0.3, 0.2, 0.1], atol=2e-6)


@pytest.mark.parametrize("own", [0.4, schedules.LinearDecay(0.4, 4, 0.1), schedules.Constant(0.1)])
def test_03_no_alarm_where_there_is_something_left(own, recwarn):
    model = sgd(own)
    for _ in range(2):
        unit_gradient.fit(model, 4, 1, [callbacks.LearningRateRecorder()])
    assert not [w for w in recwarn if "exhausted" in str(w.message)]


def test_04_the_rate_in_the_logs_is_the_next_one_or_a_mean():
    model = sgd(schedules.LinearDecay(1.0, 8))
    recorder = callbacks.LearningRateRecorder()
    history = unit_gradient.fit(model, 4, 2, [recorder])
    np.testing.assert_allclose(recorder.learning_rate, rates_of(model), atol=2e-6)
    assert history.history["learning_rate"] == [0.625, 0.125]


def test_05_a_first_nan_poisons_the_best():
    model = sgd()
    unit_gradient.fit(model, 1, 6, [feed(math.nan, 1.0, 0.9, 0.8, 0.7, 0.6), plateau(patience=1)])
    np.testing.assert_allclose(rates_of(model), [0.4] * 6, atol=2e-6)


def test_07_small_losses_and_lucky_outliers_decimate_the_rate():
    halving = [1e-4 / 2**i for i in range(8)]
    model = sgd()
    unit_gradient.fit(model, 1, 8, [feed(*halving), plateau(threshold_mode="rel")])
    np.testing.assert_allclose(rates_of(model), [0.4] * 8, atol=2e-6)
    lucky = [1.0, 0.2, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    model = sgd()
    unit_gradient.fit(model, 1, 8, [feed(*lucky), plateau(patience=3, start_from_epoch=2)])
    np.testing.assert_allclose(rates_of(model), [0.4] * 8, atol=2e-6)


@pytest.mark.parametrize("level", [1.0, -1.0])
def test_07_negative_metrics_are_no_improvement_when_they_worsen(level):
    flat, worse = [level] * 4, [level, level + 0.1, level + 0.2, level + 0.3]
    for values in (flat, worse):
        model = sgd()
        unit_gradient.fit(model, 1, 4, [feed(*values), plateau(threshold_mode="rel")])
        np.testing.assert_allclose(rates_of(model), [0.4, 0.4, 0.4, 0.2], atol=2e-6)


def test_12_accumulated_gradients_make_schedules_run_fast():
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=4)
    model, recorder = unit_gradient.build(optimizer), callbacks.LearningRateRecorder()
    plan = callbacks.FitSchedule(schedules.LinearDecay(0.4, "100%"))
    unit_gradient.fit(model, 8, 2, [plan, recorder])
    moved = rates_of(model)
    np.testing.assert_allclose(moved[moved > 0], [0.4, 0.3, 0.2, 0.1], atol=2e-6)
    assert recorder.learning_rate.tolist() == pytest.approx([0.4, 0.3, 0.2, 0.1])


def test_13_no_warmup_before_a_plateau():
    model = sgd()
    unit_gradient.fit(model, 2, 4, [callbacks.Warmup(4), feed(*[1.0] * 4), plateau()])
    expected = [0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.2, 0.2]
    np.testing.assert_allclose(rates_of(model), expected, atol=2e-6)


def test_14_steps_or_epochs():
    model = sgd()
    schedule = schedules.Constant(0.4).with_warmup("10%")
    plan = callbacks.FitSchedule(schedule)
    unit_gradient.fit(model, 13, 7, [plan])
    assert plan.schedule == schedules.Constant(0.4).with_warmup(9)  # 10 % of 91, rounded
    np.testing.assert_allclose(rates_of(model)[[0, 8, 9]], [0.4 / 9, 0.4, 0.4], atol=2e-6)


def test_17_two_writers_fight_and_the_last_one_wins_silently():
    model = sgd()
    theirs = keras.callbacks.LearningRateScheduler(lambda epoch: 0.4)
    with pytest.warns(UserWarning, match="LearningRateScheduler writes .* ReduceLROnPlateau of"):
        unit_gradient.fit(model, 1, 2, [theirs, feed(1.0, 1.0), plateau()])
    model = sgd()
    ours = callbacks.LearningRateScheduler(lambda epoch: 0.4)
    unit_gradient.fit(model, 1, 4, [ours, feed(*[1.0] * 4), plateau(patience=1)])
    np.testing.assert_allclose(rates_of(model), [0.4, 0.4, 0.2, 0.1], atol=2e-6)


def test_18_a_direction_that_is_guessed():
    rule = callbacks.ReduceLROnPlateau("surprise")
    with pytest.raises(ValueError, match="`mode` must be 'min' or 'max' for a metric whose dir"):
        unit_gradient.fit(sgd(), 1, 1, [feed(1.0, name="surprise"), rule])


def test_20_a_reduced_rate_leaks_into_the_next_fold():
    model, rule = sgd(), plateau(patience=1, on_train_end="restore_initial")
    for _ in range(2):
        unit_gradient.fit(model, 1, 3, [feed(1.0, 1.0, 1.0), rule])
    np.testing.assert_allclose(rates_of(model), [0.4, 0.4, 0.2] * 2, atol=2e-6)


def test_22_validation_that_is_rarer_than_epochs(recwarn):
    model = sgd()
    values = feed(None, 1.0, None, 1.0, None, 1.0, None, name="val_m")
    data = unit_gradient.batches(1)
    rule = plateau(monitor="val_m")
    options = {"validation_data": data, "validation_freq": [2, 4, 6]}
    unit_gradient.fit(model, 1, 7, [values, rule], **options)
    np.testing.assert_allclose(rates_of(model), [0.4] * 6 + [0.2], atol=2e-6)
    assert not [w for w in recwarn if "val_m" in str(w.message)]


def test_26_steps_per_execution_make_a_staircase():
    if keras.backend.backend() == "torch":
        pytest.skip("Keras refuses steps_per_execution on PyTorch")
    model = sgd(0.4, steps_per_execution=4)
    unit_gradient.fit(model, 8, 1, [callbacks.Warmup(8)])
    np.testing.assert_allclose(rates_of(model), 0.05 * np.arange(1, 9), atol=2e-6)


def test_27_a_floor_above_the_rate():
    with pytest.warns(UserWarning, match="will never reduce the learning rate: its min_lr=0.4"):
        unit_gradient.fit(sgd(0.1), 1, 1, [feed(1.0), plateau(min_lr=0.4)])
    # A warmup that begins under the floor is no mistake.
    rising = [callbacks.Warmup(2), feed(1.0), plateau(min_lr=0.3)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unit_gradient.fit(sgd(0.4), 2, 1, rising)


def test_27_a_metric_that_a_later_callback_adds():
    with pytest.raises(ValueError, match="list the callback that adds it first"):
        unit_gradient.fit(sgd(), 1, 2, [plateau(), feed(1.0, 1.0)])


def test_28_the_floor_is_reached_once(capsys):
    model = sgd(1e-3)
    rule = plateau(factor=0.1, patience=1, min_lr=1e-4, verbose=1)
    unit_gradient.fit(model, 1, 6, [feed(*[1.0] * 6), rule])
    told = capsys.readouterr().out
    assert told.count("reducing") == 1 and "learning rate to 0.0001 (" in told


def test_33_skipped_steps_of_a_loss_scale():
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(schedules.LinearDecay(0.4, 8)), initial_scale=1.0
    )
    model, recorder = unit_gradient.build(optimizer), callbacks.LearningRateRecorder()
    x, y = unit_gradient.batches(4)
    model.fit(x, y, unit_gradient.BATCH, callbacks=[callbacks.Warmup(2), recorder], verbose=0)
    expected = [0.2, 0.35, 0.3, 0.25]
    np.testing.assert_allclose(rates_of(model), expected, atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, expected, atol=2e-6)


def test_36_what_a_scheduler_may_return_and_whose_error_it_is():
    model = sgd()
    values = [1, np.float16(0.5), np.array(0.25), keras.ops.ones(())]
    unit_gradient.fit(model, 1, 4, [callbacks.LearningRateScheduler(lambda e: values[e])])
    np.testing.assert_allclose(rates_of(model), [1.0, 0.5, 0.25, 1.0], atol=2e-6)

    def broken(epoch, rate):
        raise TypeError("the user's own")

    with pytest.raises(TypeError, match="the user's own"):
        unit_gradient.fit(model, 1, 1, [callbacks.LearningRateScheduler(broken)])


def test_37_reading_the_rate_of_anything():
    for own in (0.25, schedules.Constant(0.25), keras.optimizers.schedules.CosineDecay(0.25, 9)):
        for wrap in (lambda o: o, keras.optimizers.LossScaleOptimizer):
            assert get_rate(wrap(keras.optimizers.Adam(own))) == 0.25


def test_42_random_rates_are_others_after_a_restart():
    def rates(parts):
        model = sgd()
        for begin, end in parts:
            jitter = callbacks.RandomJitter(0.5, seed=7)
            unit_gradient.fit(model, 2, end, [jitter], initial_epoch=begin)
        return rates_of(model)

    np.testing.assert_allclose(rates([(0, 4)]), rates([(0, 1), (1, 3), (3, 4)]), atol=2e-6)
