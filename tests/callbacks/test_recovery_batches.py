"""`RecoverFromDivergence(every=n)`: back and on in the midst of an epoch, to the bit."""

import keras
import numpy as np
import pytest
from support import tiers, unit_gradient
from support.small_network import (
    At,
    adam,
    assert_same_bits,
    network,
    poison,
    recovery,
    set_rate,
    state_of,
    train,
)
from support.tiers import matrix

from keras_lr import callbacks, schedules


@pytest.mark.parametrize(
    ("rate", "recorder_first"), matrix([0.125, schedules.LinearDecay(0.125, 20)], [True, False])
)
def test_the_rest_of_the_epoch_goes_on_from_the_last_look(rate, recorder_first):
    model, rule, recorder = network(adam(rate)), recovery(every=2), callbacks.LearningRateRecorder()
    ours = [recorder, rule] if recorder_first else [rule, recorder]
    # Looks after 2, 4 and 6 batches; the last finds NaN, and batches 6 and 7 go on from update 4.
    history = train(model, 3, [At(5, poison), *ours, callbacks.Warmup("1 epoch")]).history
    reference = network(adam(rate))
    train(reference, 1, [callbacks.Warmup(4)])
    set_rate(reference, rate * 0.5)
    rest = train(reference, 1, rows=slice(8, 16)).history
    train(reference, 1)
    assert_same_bits(state_of(model), state_of(reference))
    # The logs are those of the batches since.
    assert history["loss"][1] == pytest.approx(rest["loss"][0], rel=1e-5)
    assert rule.recoveries == 1
    assert recorder.updates.tolist() == [*range(6), *range(4, 10)]
    plain = (rate * schedules.Constant(1.0)).rates(recorder.updates)
    warm = np.minimum((recorder.updates + 1) / 4, 1)
    halved = np.repeat([1.0, 0.5], [6, 6])
    np.testing.assert_allclose(recorder.learning_rate, plain * warm * halved)
    assert [row["update"] for row in recorder.epoch_logs] == [3, 5, 9]


def test_the_stretches_run_across_epochs():
    # The loss of batch t is -t / 10.
    model, rule = unit_gradient.build(keras.optimizers.SGD(0.1)), recovery(every=3)
    unit_gradient.fit(model, 4, 3, [rule])
    assert rule.state.good == pytest.approx([-0.1, -0.4, -0.7, -1.0], abs=1e-5)
    np.testing.assert_allclose(unit_gradient.applied(model), [0.1] * 12, atol=2e-6)


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras refuses steps_per_execution on PyTorch"
)
def test_several_steps_per_execution():
    optimizer = keras.optimizers.SGD(0.1)
    model, rule = unit_gradient.build(optimizer, steps_per_execution=2), recovery(every=4)
    unit_gradient.fit(model, 6, 2, [rule])
    assert rule.state.good == pytest.approx([-0.15, -0.55, -0.95], abs=1e-5)


def test_what_is_left_over_at_the_end_must_be_finite():
    model, rule = network(adam(0.02)), recovery(every=3)
    train(model, 2, [At(7, poison), rule])
    # Looks after 3 and 6 batches, and at NaN after 8.
    assert rule.recoveries == 1
    reference = network(adam(0.02))
    train(reference, 1)
    train(reference, 1, rows=slice(0, 8))
    assert_same_bits(state_of(model), state_of(reference))


class InfiniteAt(keras.callbacks.Callback):
    """Makes the last update of the second epoch infinite: no loss shows it any more."""

    def __init__(self, stops=False):
        super().__init__()
        self.stops = stops

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.epoch == 1 and batch == 3:
            self.model.optimizer.learning_rate = np.inf

    def on_epoch_end(self, epoch, logs=None):
        if self.stops and epoch == 1:
            self.model.stop_training = True


@pytest.mark.filterwarnings("ignore:Somebody else writes the learning rate")
@pytest.mark.parametrize("every", ["epoch", *tiers.cells([3, 4, 5, 8, 50], [3])])
def test_the_very_last_update_is_looked_at(every):
    model, rule = unit_gradient.build(keras.optimizers.SGD(0.1)), recovery(every=every)
    unit_gradient.fit(model, 4, 2, [InfiniteAt(), rule])
    weights = [weight for weight in model.get_weights() if weight.shape == ()]
    assert rule.recoveries == 1 and np.isfinite(weights).all()


@pytest.mark.filterwarnings("ignore:Somebody else writes the learning rate")
@pytest.mark.parametrize("first", [True, False], ids=["seen", "unseen"])
def test_the_last_update_before_a_stop_is_looked_at(first):
    model, rule = unit_gradient.build(keras.optimizers.SGD(0.1)), recovery(every=3)
    others = [InfiniteAt(stops=True)]
    unit_gradient.fit(model, 4, 5, others + [rule] if first else [rule] + others)
    assert np.isfinite(float(model.get_layer("trace_0").w))


def test_the_error_comes_in_the_midst_of_the_epoch_and_leaves_the_best_state():
    model, rule = network(adam(0.02)), recovery(every=3, max_recoveries=0)
    # A look after 3 batches, and one at NaN after 6, the second of the next epoch.
    with pytest.raises(RuntimeError, match="of epoch 1 "):
        train(model, 2, [At(4, poison), rule])
    reference = network(adam(0.02))
    train(reference, 1, rows=slice(0, 12))
    assert_same_bits(state_of(model), state_of(reference))
    train(model, 1)
    train(reference, 1)
    assert_same_bits(state_of(model), state_of(reference))


def test_a_model_without_a_loss_metric_is_refused():
    class Own(keras.Model):
        metrics = []

    inputs = keras.Input((3,))
    model = Own(inputs, keras.layers.Dense(1)(inputs))
    model.compile(adam(0.02), "mse")
    with pytest.raises(ValueError, match="no metric of the name 'loss'. Received: every=2"):
        train(model, 1, [recovery(every=2)])
