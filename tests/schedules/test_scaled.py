"""A factor on one of Keras' own schedules makes another of Keras' class, the same to rounding."""

import keras
import numpy as np
import pytest
from keras.optimizers import schedules as theirs

from keras_lr import schedules as ours
from keras_lr.schedules.coerce import as_schedule
from keras_lr.schedules.scaled import combined, in_class_of, is_keras_schedule

SCHEDULES = {
    "exponential": theirs.ExponentialDecay(0.1, 10, 0.9),
    "exponential staircase": theirs.ExponentialDecay(1.0, 10, 0.5, staircase=True),
    "inverse": theirs.InverseTimeDecay(0.1, 10, 0.5),
    "inverse staircase": theirs.InverseTimeDecay(0.1, 7, 0.5, staircase=True),
    "polynomial": theirs.PolynomialDecay(0.1, 20, 0.01, power=2.0),
    "polynomial cycle": theirs.PolynomialDecay(0.1, 8, cycle=True),
    "cosine": theirs.CosineDecay(0.1, 20, alpha=0.1),
    "cosine warmup": theirs.CosineDecay(0.0, 20, warmup_target=0.1, warmup_steps=5),
    "restarts": theirs.CosineDecayRestarts(0.1, 5, t_mul=2.0, m_mul=0.8, alpha=0.1),
    "piecewise": theirs.PiecewiseConstantDecay([5, 10], [1.0, 0.1, 0.01]),
    "piecewise integers": theirs.PiecewiseConstantDecay((5, 10), (3, 2, 1)),
}


def rates(schedule):
    return np.array([float(schedule(step)) for step in range(25)])


@pytest.mark.parametrize("scale", [0.5, 1 / 3, 1e-8, 7.0])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_factor_on_the_arguments_is_one_on_the_rate(name, scale):
    schedule = SCHEDULES[name]
    scaled = combined(schedule, scale, 0.0)
    assert type(scaled) is type(schedule)
    np.testing.assert_allclose(rates(scaled), rates(schedule) * scale, rtol=1e-6)
    changed = {k for k, v in scaled.get_config().items() if v != schedule.get_config()[k]}
    assert not changed & {"decay_steps", "decay_rate", "alpha", "power", "m_mul", "boundaries"}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_rate_in_its_place_is_one_of_keras_classes(name):
    flat = combined(SCHEDULES[name], 0.0, 0.03)
    assert is_keras_schedule(flat)
    np.testing.assert_allclose(rates(flat), 0.03, rtol=1e-6)
    assert combined(SCHEDULES[name], 1.0, 0.0) is SCHEDULES[name]


def test_those_of_ours_stay_ours():
    decay = ours.ExponentialDecay(0.1, 10, 0.9)
    assert combined(decay, 0.5, 0.0) == decay * 0.5
    assert combined(decay, 0.0, 0.2) == ours.Constant(0.2)


@pytest.mark.parametrize("name", SCHEDULES)
def test_back_in_the_class_of_keras(name):
    there = SCHEDULES[name]
    back = in_class_of(there, as_schedule("x", there))
    assert type(back) is type(there)
    np.testing.assert_array_equal(rates(back), rates(there))


def test_only_what_keras_has_goes_back():
    there = SCHEDULES["exponential"]
    bounded = ours.ExponentialDecay(0.1, 10, 0.9, end_learning_rate=0.05)
    for schedule in (bounded, ours.LinearDecay(0.1, 10)):
        assert in_class_of(there, schedule) is schedule
    free = ours.ExponentialDecay(0.1, 10, 0.9)
    assert in_class_of(ours.Constant(0.1), free) is free


def test_a_class_of_the_users_own_is_told_to_need_keras_lr():
    class Own(theirs.LearningRateSchedule):
        def __call__(self, step):
            return keras.ops.multiply(0.1, keras.ops.ones(()))

    with pytest.warns(UserWarning, match="From here on the optimizer has Own times a factor"):
        combined(Own(), 0.5, 0.0)
