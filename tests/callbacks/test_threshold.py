"""`LossThreshold` and `ValidationThreshold`: bands by lists of numbers; refusals in `fit`."""

import keras
import numpy as np
import pytest
from support import unit_gradient
from support.tiers import once

from keras_lr import callbacks


def rates(rule, values):
    state, found = rule.start(), []
    for value in values:
        state = rule.update(state, value, 0.4)
        found.append(state.rate)
    return found


def test_bands_are_closed_below():
    rule = callbacks.LossThreshold([0.2, 0.8], [0.001, 0.01, 0.1])
    values = [1.0, 0.8, 0.79, 0.2, 0.19, -5.0]
    assert rates(rule, values) == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]


def test_hysteresis_ignores_noise_around_a_threshold():
    plain = callbacks.LossThreshold(0.5, [0.01, 0.1])
    steady = callbacks.LossThreshold(0.5, [0.01, 0.1], hysteresis=0.05)
    noise = [0.52, 0.49, 0.52, 0.47, 0.44, 0.52, 0.56]
    assert rates(plain, noise) == [0.1, 0.01, 0.1, 0.01, 0.01, 0.1, 0.1]
    assert rates(steady, noise) == [0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.1]


def test_hysteresis_can_cross_several_bands_at_once():
    rule = callbacks.LossThreshold([1.0, 2.0, 3.0], [0.1, 0.2, 0.3, 0.4], hysteresis=0.1)
    assert rates(rule, [3.5, 0.5, 2.95, 3.2]) == [0.4, 0.1, 0.3, 0.4]


def test_a_value_that_is_not_finite_changes_nothing():
    rule = callbacks.LossThreshold(0.5, [0.01, 0.1])
    assert rates(rule, [float("nan"), 0.4, float("inf"), 0.4]) == [None, 0.01, 0.01, 0.01]


def test_the_optimizers_own_rate_counts_until_the_first_metric():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    feed = unit_gradient.Feed([float("nan"), 0.1, 0.9])
    unit_gradient.fit(model, 1, 3, [feed, callbacks.LossThreshold(0.5, [0.01, 0.1])])
    np.testing.assert_allclose(unit_gradient.applied(model), [0.4, 0.4, 0.01], atol=1e-6)


def test_validation_threshold_follows_the_validation_loss():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    rule = callbacks.ValidationThreshold(-0.5, [0.01, 0.1])
    # The loss is the weight itself: -0.4 after epoch 1, -0.5 after 2, -0.6 after 3.
    unit_gradient.fit(model, 1, 4, [rule], validation_data=unit_gradient.batches(1))
    np.testing.assert_allclose(unit_gradient.applied(model), [0.4, 0.1, 0.1, 0.01], atol=1e-6)


def test_missing_metrics_are_an_error_after_the_first_epoch():
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    with pytest.raises(
        ValueError, match="monitors `val_loss`.*Available: learning_rate, loss.*validation_data"
    ):
        unit_gradient.fit(model, 1, 3, [callbacks.ValidationThreshold(0.5, [0.01, 0.1])])
    assert len(unit_gradient.applied(model)) == 1
    with pytest.raises(ValueError, match="monitors `val_acuracy`"):
        unit_gradient.fit(
            model,
            1,
            3,
            [callbacks.ValidationThreshold(0.5, [0.01, 0.1], "val_acuracy")],
            validation_data=unit_gradient.batches(1),
        )


@once
@pytest.mark.parametrize("freq", [2, [2, 3]])
def test_validation_that_comes_later_is_waited_for(freq):
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    unit_gradient.fit(
        model,
        1,
        3,
        [callbacks.ValidationThreshold(0.5, [0.01, 0.1])],
        validation_data=unit_gradient.batches(1),
        validation_freq=freq,
    )
    np.testing.assert_allclose(unit_gradient.applied(model), [0.4, 0.4, 0.01], atol=1e-6)


@pytest.mark.parametrize(("monitor", "freq"), [("val_typo", 2), ("val_loss", 10)])
def test_validation_that_never_brings_the_metric_is_not_waited_for(monitor, freq):
    model = unit_gradient.build(keras.optimizers.SGD(0.4))
    with pytest.raises(ValueError, match=f"monitors `{monitor}`"):
        unit_gradient.fit(
            model,
            1,
            4,
            [callbacks.ValidationThreshold(0.5, [0.01, 0.1], monitor)],
            validation_data=unit_gradient.batches(1),
            validation_freq=freq,
        )
    assert len(unit_gradient.applied(model)) == (2 if freq == 2 else 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.8, 0.2], [1, 2, 3]), r"`thresholds` must be strictly increasing. Received"),
        (([0.5, 0.5], [1, 2, 3]), r"`thresholds` must be strictly increasing. Received"),
        (([0.5], [0.1]), r"`learning_rates` must be one more than the 1 thresholds. Received"),
        ((0.5, [0.1, -0.1]), r"`learning_rates\[1\]` must be a finite number >= 0"),
        ((float("nan"), [0.1, 0.2]), r"`thresholds\[0\]` must be a finite number"),
        ((True, [0.1, 0.2]), r"`thresholds` must be a list"),
        (("0.5", [0.1, 0.2]), r"`thresholds` must be a list"),
        (([], [0.1]), r"`thresholds` must be a list of 1 or more"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        callbacks.LossThreshold(*arguments)
    with pytest.raises(ValueError, match="`hysteresis` must be a finite number >= 0"):
        callbacks.LossThreshold(0.5, [0.1, 0.2], hysteresis=-1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'histeresis'"):
        callbacks.LossThreshold(0.5, [0.1, 0.2], histeresis=1)
