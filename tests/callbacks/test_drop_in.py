"""Subclasses of Keras' `ReduceLROnPlateau`, and what they read, on the class of ours."""

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import cells, once

from keras_lr import callbacks

BOTH = {"Keras": keras.callbacks.ReduceLROnPlateau, "ours": callbacks.ReduceLROnPlateau}
LOSSES = [1.0, 1.2, 0.8, 0.8, 0.8, 0.8, 0.9, 0.9, 0.9, 0.9]


def run(make, losses=LOSSES):
    model, callback = unit_gradient.build(keras.optimizers.SGD(0.4)), make()
    history = unit_gradient.fit(model, 2, len(losses), [unit_gradient.Feed(losses), callback])
    return unit_gradient.applied(model), history.history, callback


def watching(base):
    """A subclass as they are written for Keras: it looks at what its base has decided."""

    class Watching(base):
        def _reset(self):
            super()._reset()
            self.seen, self.reductions = [], 0

        def on_epoch_end(self, epoch, logs=None):
            before = float(self.model.optimizer.learning_rate)
            super().on_epoch_end(epoch, logs)
            after = float(self.model.optimizer.learning_rate)
            self.reductions += after < before
            better = bool(self.monitor_op(logs["loss"] - self.min_delta, self.best))
            state = (self.wait, self.cooldown_counter, self.in_cooldown(), float(self.best))
            self.seen.append((*state, better, self.min_delta, self.reductions))
            if self.reductions == 2:
                self._reset_waiting()

        def _reset_waiting(self):
            reductions, seen = self.reductions + 1, self.seen
            self._reset()
            self.reductions, self.seen = reductions, seen

    return Watching


@pytest.mark.parametrize("mode", cells(["auto", "min", "max"], ["auto"]))
def test_a_subclass_sees_and_does_the_same_as_on_keras(mode):
    options = {"monitor": "loss", "factor": 0.5, "patience": 2, "cooldown": 1, "mode": mode}
    theirs, ours = (run(lambda b=base: watching(b)(**options)) for base in BOTH.values())
    np.testing.assert_allclose(ours[0], theirs[0], atol=2e-6)
    assert ours[2].seen == theirs[2].seen
    assert ours[2].monitor_op is theirs[2].monitor_op
    np.testing.assert_allclose(ours[1]["learning_rate"], theirs[1]["learning_rate"], atol=1e-7)
    assert len(set(theirs[1]["learning_rate"])) > 1


def relative(base):
    class Relative(base):
        def _is_improvement(self, monitor_value, reference_value):
            return reference_value is None or monitor_value < 0.7 * reference_value

    return Relative


def own_operator(base):
    class OwnOperator(base):
        def on_epoch_end(self, epoch, logs=None):
            if self.monitor_op is None:
                self._set_monitor_op()
            self.monitor_op = lambda value, best: np.less(value, best - 0.25)
            super().on_epoch_end(epoch, logs)

    return OwnOperator


def begins_by_itself(base):
    class BeginsByItself(base):
        def on_train_begin(self, logs=None):
            super().on_train_begin(logs)
            self.best = 0.9
            self.wait = 1

    return BeginsByItself


@pytest.mark.parametrize("make", cells([relative, own_operator, begins_by_itself], [relative]))
def test_what_a_subclass_replaces_is_used(make):
    options = {"monitor": "loss", "factor": 0.5, "patience": 3}
    theirs, ours = (run(lambda b=base: make(b)(**options)) for base in BOTH.values())
    plain = run(lambda: callbacks.ReduceLROnPlateau(**options))
    np.testing.assert_allclose(ours[0], theirs[0], atol=2e-6)
    assert not np.allclose(ours[0], plain[0])


@pytest.mark.parametrize("name", ["_reduce_optimizer_lr", "in_cooldown"])
def test_what_is_never_called_is_refused(name):
    kind = type("Mine", (callbacks.ReduceLROnPlateau,), {name: lambda self, *more: True})
    with pytest.raises(ValueError, match=f"must define `update.*Received: Mine with {name}"):
        kind("loss")


def test_a_hook_that_does_not_call_its_base_is_named():
    class Own(callbacks.ReduceLROnPlateau):
        def on_train_begin(self, logs=None):
            self._reset()

    with pytest.raises(ValueError, match="Own.on_epoch_begin must be called in a fit whose on_tr"):
        run(lambda: Own("loss"))


@once
def test_to_forget_keeps_the_cuts():
    _, _, plateau = run(lambda: callbacks.ReduceLROnPlateau("loss", 0.5, patience=1, cooldown=3))
    assert plateau.state.factor < 1 and plateau.best == 0.8
    kept = {"factor": plateau.state.factor, "cuts": 3}
    plateau._reset()
    assert (plateau.best, plateau.wait, plateau.cooldown_counter) == (None, 0, 0)
    assert plateau.state == callbacks.ReduceLROnPlateau().state._replace(**kept)


def test_which_way_is_better_is_open_before_the_fit():
    assert callbacks.ReduceLROnPlateau("loss").monitor_op is None
    assert callbacks.ReduceLROnPlateau("m", mode="max").monitor_op is keras.ops.greater
