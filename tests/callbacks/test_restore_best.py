"""`ReduceLROnPlateau(restore_best=…)`: the way back to the best epoch, to the bit."""

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.small_network import (
    EPOCH,
    Watch,
    adam,
    assert_same_bits,
    network,
    set_rate,
    state_of,
    train,
)
from support.tiers import cells, once

from keras_lr import callbacks, schedules

nan = float("nan")


OPTIMIZERS = {
    "float": (0.125, adam),
    "schedule": (schedules.LinearDecay(0.125, 20), adam),
    "loss scale": (0.125, lambda rate: keras.optimizers.LossScaleOptimizer(adam(rate))),
}


@pytest.mark.parametrize("kind", cells(OPTIMIZERS, quick=["schedule"]))
def test_restoring_all_trains_on_as_if_the_bad_epochs_had_never_been(kind):
    rate, optimizer = OPTIMIZERS[kind]
    model, watch = network(optimizer(rate)), Watch()
    rule = callbacks.ReduceLROnPlateau("metric", 0.5, 2, mode="min", restore_best="all")
    feed = unit_gradient.Feed([2.0, 1.0, 3.0, 3.0, 3.0], "metric")
    recorder = callbacks.LearningRateRecorder()
    train(model, 5, [feed, watch, recorder, rule])
    # The oracle: two epochs, and with half the rate one more.
    reference = network(optimizer(rate))
    train(reference, 2)
    assert_same_bits(watch.ends[1], state_of(reference))
    assert_same_bits(watch.begins[4], state_of(reference))
    set_rate(reference, rate * 0.5)
    train(reference, 1)
    assert_same_bits(state_of(model), state_of(reference))
    # The record has the epochs as they were, and the rates of the repeated updates.
    updates = [*range(16), *range(8, 12)]
    assert recorder.updates.tolist() == updates
    plain = (rate * schedules.Constant(1.0)).rates(updates)
    np.testing.assert_allclose(recorder.learning_rate, plain * np.repeat([1.0, 0.5], [16, 4]))


@once
def test_restoring_weights_leaves_the_optimizer_as_it_is():
    model, watch = network(adam(0.125)), Watch()
    rule = callbacks.ReduceLROnPlateau("metric", 0.5, 1, mode="min", restore_best="weights")
    feed = unit_gradient.Feed([1.0, 3.0, 3.0], "metric")
    train(model, 3, [feed, watch, rule])
    reference = network(adam(0.125))
    train(reference, 1)
    best = reference.get_weights()
    for rate in (0.0625, 0.03125):
        train(reference, 1)
        reference.set_weights(best)
        reference.optimizer.learning_rate = rate
    assert_same_bits(state_of(model), state_of(reference))
    assert_same_bits(watch.begins[2][: len(best)], best)


@once
def test_the_best_validation_loss_is_had_again():
    # Two good epochs, and one at ten times the rate.
    model = network(keras.optimizers.SGD(schedules.Tabulated([0.05] * 8 + [0.5])))
    rule = callbacks.ReduceLROnPlateau(patience=1, min_delta=0.0, restore_best="weights")
    data = (EPOCH[::-1], EPOCH[::-1].sum(axis=1, keepdims=True))
    history = train(model, 3, [rule], validation_data=data).history["val_loss"]
    assert history[1] < history[0] < history[2]
    assert model.evaluate(*data, verbose=0) == pytest.approx(history[1], rel=1e-6)


@unit_gradient.needs_multi_optimizer
def test_restoring_all_under_a_multi_optimizer():
    groups = keras.optimizers.OptimizerMap(
        adam(0.125), {".*kernel": adam(schedules.LinearDecay(0.5, 20))}
    )
    model, watch = network(keras.optimizers.MultiOptimizer(groups)), Watch()
    rule = callbacks.ReduceLROnPlateau("metric", 0.5, 1, mode="min", restore_best="all")
    train(model, 3, [unit_gradient.Feed([1.0, 2.0, 0.5], "metric"), watch, rule])
    assert_same_bits(watch.begins[2], watch.ends[0])
    rates = [float(o.learning_rate) for o in model.optimizer.optimizers]
    assert sorted(rates) == pytest.approx([0.0625, 0.5 * 0.5 * (1 - 8 / 20)])


@once
@pytest.mark.parametrize("on_nan", ["reduce", "stop"])
def test_nan_weights_are_left_behind(on_nan):
    class Poison(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.set_weights([np.full_like(w, nan) for w in self.model.get_weights()])
                logs["loss"] = nan

    model, watch = network(adam(0.125)), Watch()
    rule = callbacks.ReduceLROnPlateau("loss", 0.5, on_nan=on_nan, restore_best="all")
    history = train(model, 4, [watch, Poison(), rule])
    if on_nan == "reduce":
        assert_same_bits(watch.begins[2], watch.ends[0])
        assert np.isfinite(history.history["loss"][2:]).all()
        assert len(history.epoch) == 4 and rule.state.factor == 0.5
    else:
        assert_same_bits(state_of(model), watch.ends[0])
        assert len(history.epoch) == 2 and rule.state.factor == 1.0


@once
def test_a_stop_goes_back_to_the_best_weights_and_not_to_its_rate():
    model = network(adam(0.125))
    rule = callbacks.ReduceLROnPlateau(
        "metric", 0.5, 1, mode="min", on_nan="stop", restore_best="all"
    )
    train(model, 5, [unit_gradient.Feed([1.0, 2.0, nan], "metric"), rule])
    assert int(model.optimizer.iterations) == 4
    assert float(model.optimizer.learning_rate) == 0.0625


@once
def test_other_factors_stay_where_they_were_when_time_goes_back():
    model = network(adam(schedules.LinearDecay(0.125, 20)))
    recorder = callbacks.LearningRateRecorder()
    feeds = [
        unit_gradient.Feed([1.0, 0.9, 2.0, 2.0], "metric"),
        unit_gradient.Feed([2.0, 3.0, 3.0, 3.0], "other"),
    ]
    decay = callbacks.ValidationDecay("other", mode="min")
    rule = callbacks.ReduceLROnPlateau("metric", 0.5, 1, mode="min", restore_best="all")
    train(model, 4, [*feeds, recorder, decay, rule])
    # After update 12 both halve the rate, and time goes back to update 8.
    assert recorder.updates.tolist() == [*range(12), *range(8, 12)]
    factors = np.repeat([1.0, 0.25], [12, 4])
    expected = 0.125 * (1 - recorder.updates / 20) * factors
    np.testing.assert_allclose(recorder.learning_rate, expected)
    assert [event.update for event in rule.driver.events] == [12, 8, 8]


@once
def test_a_second_fit_does_not_go_back_to_the_best_of_the_first():
    model, watch = network(adam(0.125)), Watch()
    rule = callbacks.ReduceLROnPlateau(
        "metric", 0.5, 1, mode="min", on_nan="reduce", restore_best="all"
    )
    train(model, 2, [unit_gradient.Feed([1.0, 0.5], "metric"), watch, rule])
    train(model, 2, [unit_gradient.Feed([nan, nan], "metric"), watch, rule])
    assert_same_bits(watch.begins[1], watch.ends[0])
    assert rule.state.factor == 0.25
