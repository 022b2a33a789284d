"""`RecoverFromDivergence` by epochs: judged by the weights, to the bit."""

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.small_network import (
    EPOCH,
    AfterEpoch,
    At,
    Watch,
    adam,
    assert_same_bits,
    network,
    poison,
    recovery,
    set_rate,
    state_of,
    train,
)
from support.tiers import cells, once

from keras_lr import callbacks, schedules

BACKEND = keras.backend.backend()
nan = float("nan")


def at_a_million(model):
    model.optimizer.learning_rate = 1e6


def sgd(rate):
    return keras.optimizers.SGD(rate, momentum=0.5)


@pytest.mark.filterwarnings("ignore:Somebody else writes the learning rate")
@pytest.mark.parametrize(
    ("optimizer", "batch"),
    cells([(sgd, 0), (sgd, 8), (adam, 10), (adam, 11)], quick=[(sgd, 0), (adam, 11)]),
)
def test_a_rate_of_a_million_is_survived(optimizer, batch):
    model, rule = network(optimizer(0.05)), recovery()
    history = train(model, 6, [At(batch, at_a_million), rule])
    # The last batch of an epoch is found out one epoch later.
    bad = {0: 0, 8: 2, 10: 2, 11: 3}[batch]
    reference = network(optimizer(0.05))
    good = min(bad, 2)
    train(reference, good)
    set_rate(reference, 0.025)
    train(reference, 5 - bad)
    assert_same_bits(state_of(model), state_of(reference))
    assert rule.recoveries == 1
    assert float(model.optimizer.learning_rate) == pytest.approx(0.025)
    assert np.isfinite(history.history["loss"][bad + 1 :]).all()
    assert max(history.history["loss"][bad + 1 :]) < 20


OPTIMIZERS = {
    "schedule": (schedules.LinearDecay(0.125, 20), adam),
    "loss scale": (0.125, lambda rate: keras.optimizers.LossScaleOptimizer(adam(rate))),
    "accumulation": (
        0.125,
        lambda rate: keras.optimizers.Adam(rate, gradient_accumulation_steps=3),
    ),
}


@pytest.mark.parametrize("kind", cells(OPTIMIZERS, quick=["schedule"]))
def test_training_goes_on_as_if_the_bad_epoch_had_never_been(kind):
    rate, optimizer = OPTIMIZERS[kind]
    model, watch, rule = network(optimizer(rate)), Watch(), recovery()
    train(model, 4, [At(9, poison), watch, rule])
    reference = network(optimizer(rate))
    train(reference, 2)
    assert_same_bits(watch.begins[3], state_of(reference))
    set_rate(reference, rate * 0.5)
    train(reference, 1)
    assert_same_bits(state_of(model), state_of(reference))


@unit_gradient.needs_multi_optimizer
def test_under_a_multi_optimizer():
    groups = keras.optimizers.OptimizerMap(
        adam(0.125), {".*kernel": adam(schedules.LinearDecay(0.5, 20))}
    )
    model, watch = network(keras.optimizers.MultiOptimizer(groups)), Watch()
    train(model, 3, [At(5, poison), watch, recovery()])
    assert_same_bits(watch.begins[2], watch.ends[0])
    rates = [float(o.learning_rate) for o in model.optimizer.optimizers]
    assert sorted(rates) == pytest.approx([0.0625, 0.5 * 0.5 * (1 - 8 / 20)])


@once
def test_a_run_without_a_divergence_is_left_alone():
    plain = network(adam(0.125))
    train(plain, 3)
    for every, is_built in (("epoch", False), (3, True)):
        model = network(adam(0.125), is_built=is_built)
        train(model, 3, [recovery(every=every)])
        assert_same_bits(state_of(model), state_of(plain))


@once
def test_the_first_epoch_goes_back_to_the_initial_weights():
    model, watch = network(adam(0.125), is_built=False), Watch()
    train(model, 2, [At(1, poison), recovery(), watch])
    assert_same_bits(watch.ends[0][:8], network(adam(0.125)).get_weights())
    reference = network(adam(0.0625))
    train(reference, 1)
    assert_same_bits(state_of(model), state_of(reference))


@once
@pytest.mark.filterwarnings("ignore:Somebody else writes the learning rate")
def test_an_epoch_of_one_batch_shows_what_the_one_before_did():
    model, rule = network(sgd(0.05)), recovery()
    train(model, 5, [At(2, at_a_million), rule], batch_size=16)
    reference = network(sgd(0.05))
    train(reference, 2, batch_size=16)
    set_rate(reference, 0.025)
    train(reference, 1, batch_size=16)
    assert rule.recoveries == 1
    assert_same_bits(state_of(model), state_of(reference))


def test_factors_multiply_and_schedules_go_back_in_time():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    recorder, rule = callbacks.LearningRateRecorder(), recovery()
    feed = unit_gradient.Feed([1.0, nan, 0.9, nan, 0.8])
    schedule = callbacks.FitSchedule(schedules.LinearDecay(1.0, "100%"))
    used = [feed, rule, callbacks.Warmup(4), schedule, recorder]
    unit_gradient.fit(model, 2, 5, used)
    rates = [0.25 * 1.0, 0.5 * 0.9, 0.75 * 0.8, 1.0 * 0.7, 0.6, 0.5]
    # The model's own log goes back too: it shows the updates that lasted.
    np.testing.assert_allclose(
        unit_gradient.applied(model), np.multiply(rates, [1, 1, 0.5, 0.5, 0.25, 0.25]), atol=2e-6
    )
    assert recorder.updates.tolist() == [0, 1, 2, 3, 2, 3, 4, 5, 4, 5]
    expected = np.multiply(
        [rates[t] for t in recorder.updates], np.repeat([1, 0.5, 0.25], [4, 4, 2])
    )
    np.testing.assert_allclose(recorder.learning_rate, expected)
    assert rule.recoveries == 2
    assert [event.reason for event in recorder.events] == [
        "loss = nan, back to update 2, recovery 1 of 5",
        "loss = nan, back to update 4, recovery 2 of 5",
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_other_callbacks_forget_the_epoch_wherever_they_are_listed(order):
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    plateau = callbacks.ReduceLROnPlateau("metric", 0.5, patience=2, mode="min")
    bold = callbacks.BoldDriver("metric", mode="min", increase=3.0)
    recorder = callbacks.LearningRateRecorder()
    feeds = [
        unit_gradient.Feed([1.0, 0.5, nan, 0.5]),
        unit_gradient.Feed([1.0, 0.5, 9.0, 0.5], "metric"),
    ]
    used = [*feeds, *[plateau, bold, recovery(), recorder][::order]]
    history = unit_gradient.fit(model, 2, 4, used).history
    assert plateau.state == plateau.start()._replace(best=0.5, wait=1, mean=0.5, averaged=3)
    assert bold.state == bold.start()._replace(factor=3.0, previous=0.5)
    expected = np.repeat([0.4, 0.4, 0.4 * 3 * 0.5], 2)
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)
    assert recorder.updates.tolist() == [0, 1, 2, 3, 4, 5, 4, 5]
    assert history["learning_rate"] == pytest.approx([0.4, 0.4, 1.2, 0.6])


KEEPERS = {
    "weights": lambda: callbacks.ReduceLROnPlateau("metric", mode="min", restore_best="weights"),
    "all": lambda: callbacks.ReduceLROnPlateau("metric", mode="min", restore_best="all"),
    "auto": lambda: callbacks.AutoLearningRate(monitor="metric", mode="min", verbose=0),
}


@once
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("kind", KEEPERS)
def test_a_best_epoch_that_is_undone_is_not_gone_back_to(kind, order):
    """The third epoch has the best metric, and breaks."""
    model, keeper = network("sgd"), KEEPERS[kind]()
    feed, watch = unit_gradient.Feed([1.0, 0.9, 0.1, 0.95], "metric"), Watch()
    used = [AfterEpoch(2, poison), watch, feed, *[keeper, recovery()][::order]]
    train(model, 4, used, validation_split=0.25)
    assert keeper.state.best == 0.9
    kept = keeper.get_arrays()
    assert all(np.all(np.isfinite(array)) for array in kept)
    expected = watch.ends[1][: len(model.weights)]
    assert_same_bits([np.array(array) for array in kept[: len(expected)]], expected)


# What is a divergence


def lose_a_weight(model):
    model.layers[0].kernel.assign(np.full((3, 4), np.inf))


def lose_a_slot(model):
    model.optimizer.variables[-1].assign([nan])


@once
@pytest.mark.parametrize(
    ("lose", "what"), [(lose_a_weight, "NaN or infinity in "), (lose_a_slot, "velocity")]
)
def test_weights_and_slots_are_looked_at(lose, what):
    model, watch, recorder = network(adam(0.125)), Watch(), callbacks.LearningRateRecorder()
    train(model, 4, [watch, AfterEpoch(1, lose), recorder, recovery()])
    assert_same_bits(watch.begins[2], watch.ends[0])
    assert what in recorder.events[0].reason and len(recorder.events) == 1


@once
def test_what_was_infinite_from_the_start_may_stay_so():
    model, rule = network(adam(0.125)), recovery()
    model.layers[1].moving_mean.assign([0.0, 0.0, 0.0, -np.inf])
    train(model, 2, [rule])
    assert rule.recoveries == 0


def test_validation_has_seen_the_weights_that_it_judges():
    model, watch, rule = network(adam(0.125)), Watch(), recovery("val_loss")
    data = EPOCH[:4], EPOCH[:4].sum(axis=1, keepdims=True)
    train(model, 4, [watch, At(11, poison), rule], validation_data=data)
    assert_same_bits(watch.begins[3], watch.ends[1])
    assert rule.recoveries == 1


@once
def test_a_metric_whose_direction_is_known_after_the_first_batch():
    # By the metric's own word: its name tells nothing.
    metric = keras.metrics.MeanAbsoluteError(name="distance")
    metric._direction = "down"
    model, rule = network(adam(0.125), metrics=[metric]), recovery("distance")
    train(model, 3, [At(5, poison), rule])
    assert rule.lower_is_better and rule.recoveries == 1


# The end


@once
def test_a_spent_budget_is_an_error_that_leaves_the_best_state():
    model, rule, watch = network(adam(0.02)), recovery(max_recoveries=1), Watch()
    poisons = [At(13, poison), At(18, poison)]
    with pytest.raises(RuntimeError, match="the 1 recoveries allowed are spent") as caught:
        train(model, 9, [watch, *poisons, rule])
    told = str(caught.value)
    assert "epoch 4: loss = nan; epoch 5: loss = nan" in told and "range_test" in told
    assert "The model has the weights of epoch 3 (loss = " in told
    assert_same_bits(state_of(model), watch.ends[2])
    assert rule.recoveries == 1 and len(watch.ends) == 5


@once
def test_after_the_error_nothing_stays_but_the_cuts():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    used = [unit_gradient.Feed([1.0, nan, nan]), recovery(max_recoveries=1), callbacks.Warmup(90)]
    with pytest.raises(RuntimeError, match="of epoch 1 "):
        unit_gradient.fit(model, 2, 3, used)
    assert "make_train_function" not in vars(model)
    unit_gradient.fit(model, 2)
    # The state of the best epoch was after update 2.
    applied = unit_gradient.applied(model)
    np.testing.assert_allclose(applied, [0.4 / 90, 0.8 / 90, 0.2, 0.2], atol=2e-6)


@once
def test_terminate_on_nan_ends_with_the_last_good_state(capsys):
    keras.config.enable_interactive_logging()
    model, watch, rule = network(adam(0.125)), Watch(), callbacks.RecoverFromDivergence()
    history = train(model, 5, [watch, At(9, poison), rule, keras.callbacks.TerminateOnNaN()])
    assert len(history.epoch) == 3
    assert_same_bits(state_of(model), watch.ends[1])
    told = "Epoch 3: RecoverFromDivergence reducing learning rate to 0.0625 (loss = nan, back to "
    assert told + "update 8, recovery 1 of 5)" in capsys.readouterr().out


def interrupt(model):
    raise KeyboardInterrupt("stop")


def test_a_directory_is_gone():
    with pytest.raises(ValueError, match="has no `directory` any more: the copies are held in"):
        recovery(directory="folder")


@once
def test_a_second_fit_does_not_go_back_to_the_first():
    model, watch, rule = network(adam(0.125)), Watch(), recovery()
    train(model, 2, [rule])
    train(model, 2, [watch, At(1, poison), rule])
    assert_same_bits(watch.begins[0], watch.begins[1])
    assert rule.recoveries == 1 and rule.state.factor == 0.5


# What cannot work says so before the first batch


def test_weights_that_are_lost_already_are_refused():
    model = network(adam(0.125))
    poison(model)
    with pytest.raises(
        ValueError, match="must be finite before training.*NaN or infinity in .*ker"
    ):
        train(model, 1, [recovery()])
    assert int(model.optimizer.iterations) == 0


@once
def test_two_are_refused():
    with pytest.raises(ValueError, match="At most one RecoverFromDivergence"):
        train(network(adam(0.125)), 1, [recovery(), recovery("val_loss")])


def test_a_loop_by_hand_needs_a_model_that_is_built():
    model = network(adam(0.125), is_built=False)
    by_hand = keras.callbacks.CallbackList([recovery()], model=model)
    by_hand.on_train_begin()
    with pytest.raises(ValueError, match="must be built before training.*keras.Input"):
        by_hand.on_epoch_begin(0)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow counts a batch too many")
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_the_batch_that_was_counted_and_never_was_is_not_restored():
    import tensorflow as tf

    x, y = EPOCH, EPOCH.sum(axis=1, keepdims=True)
    # A filter hides the length.
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4).filter(lambda x, y: True)
    model = network(adam(0.125))
    model.fit(data, epochs=3, verbose=0, callbacks=[At(6, poison), recovery()])
    assert int(model.optimizer.iterations) == 8
