"""Contributions: a base and a factor, each replaced between two updates, judged on the weights."""

import keras
import numpy as np
import pytest
from support import unit_gradient

from keras_lr import callbacks, schedules
from keras_lr.callbacks import RateCallback
from keras_lr.driving.contribution import Contribution, Total

LINEAR = schedules.LinearDecay(0.8, 8)
# What the callback below contributes in each epoch of 2 updates, and the rates that follow.
COURSE = [
    (Contribution(), [0.4, 0.4]),
    (Contribution(factor=0.5), [0.2, 0.2]),
    (Contribution(LINEAR, 0.5), [0.2, 0.15]),
    (Contribution(schedules.Constant(0.3), 0.5), [0.15, 0.15]),
    (Contribution(schedules.Constant(0.3), 0.25), [0.075, 0.075]),
    (Contribution(0.1, 0.5), [0.05, 0.05]),
]


class BaseAndCuts(RateCallback):
    """Contributes what the course says."""

    sets_base = follows_metrics = True
    contribution = COURSE[0][0]
    state_file = None

    def take_given_state(self):
        return None

    def entry(self, moment):
        return {"callback": self.owner, "state": {}, **moment}

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self.contribution = COURSE[epoch][0]
        self.driver.update(epoch, self, "course")


@pytest.mark.parametrize("beside", [[], [callbacks.Warmup(3)]])
def test_base_and_factor_are_replaced_between_updates(beside):
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    recorder = callbacks.LearningRateRecorder()
    unit_gradient.fit(model, 2, len(COURSE), [BaseAndCuts(), *beside, recorder])
    expected = np.concatenate([rates for _, rates in COURSE])
    if beside:
        expected[:2] *= [1 / 3, 2 / 3]
    np.testing.assert_allclose(unit_gradient.applied(model), expected, atol=2e-6)
    np.testing.assert_allclose(recorder.learning_rate, expected, atol=1e-7)


def test_the_total_of_contributions():
    warmup = schedules.Constant(0.5)
    parts = [Contribution(factor=warmup), Contribution(LINEAR), Contribution(factor=0.2)]
    assert Total.of(parts) == Total(LINEAR, (warmup,), 0.2, 0.0)
    assert Total.of([Contribution(0.3), *parts[::2]]) == Total(None, (warmup,), 0.0, 0.3 * 0.2)
    assert Total.of([]) == Total(None, (), 1.0, 0.0)
