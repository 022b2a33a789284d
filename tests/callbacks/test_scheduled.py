"""`FitSchedule`, `Warmup` and the random callbacks: arguments and the schedules they build."""

import copy
import pickle

import keras
import numpy as np
import pytest
from support import unit_gradient

from keras_lr import callbacks, schedules
from keras_lr.schedules.durations import Run

RUN = Run(epochs=4, steps_per_epoch=5)


def test_fit_schedule_takes_foreign_schedules_and_functions():
    for schedule in (
        schedules.LinearDecay(0.8, 4),
        keras.optimizers.schedules.PolynomialDecay(0.8, 4, 0.0),
        lambda t: 0.8 * (1 - t / 4),
    ):
        model = unit_gradient.build(keras.optimizers.SGD(0.4))
        unit_gradient.fit(model, 4, 1, [callbacks.FitSchedule(schedule)])
        np.testing.assert_allclose(unit_gradient.applied(model), [0.8, 0.6, 0.4, 0.2], atol=1e-6)


def test_a_callback_shows_itself_as_it_was_made():
    made = callbacks.Warmup("1 epoch", start=0.1)
    assert repr(made) == repr(copy.deepcopy(made)) == "Warmup('1 epoch', start=0.1)"
    assert repr(pickle.loads(pickle.dumps(made))) == repr(made)
    plateau = callbacks.ReduceLROnPlateau("val_loss", patience=3)
    assert repr(plateau) == "ReduceLROnPlateau('val_loss', patience=3)"
    text = repr(callbacks.FitSchedule(schedules.LinearDecay(0.8, 4)))
    assert text == "FitSchedule(LinearDecay(0.8, 4))"


def test_durations_are_in_real_updates_under_accumulation():
    optimizer = keras.optimizers.SGD(0.4, gradient_accumulation_steps=2)
    model = unit_gradient.build(optimizer)
    schedule = callbacks.FitSchedule(schedules.LinearDecay(0.8, "100%").with_warmup("1 epoch"))
    unit_gradient.fit(model, 4, 2, [schedule])
    assert schedule.schedule == schedules.LinearDecay(0.8, 4).with_warmup(2)


def test_warmup_climbs_to_the_full_rate_at_its_last_update():
    assert callbacks.Warmup(4).build(RUN).rates(5).tolist() == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert callbacks.Warmup("10%").build(RUN).rates(3).tolist() == [0.5, 1.0, 1.0]
    assert callbacks.Warmup(2, start=0.5).build(RUN).rates(2).tolist() == [0.75, 1.0]
    steep = callbacks.Warmup(2, shape="polynomial", power=3.0).build(RUN)
    assert steep.rates(2).tolist() == [0.125, 1.0]
    assert callbacks.Warmup(0).build(RUN).rates(2).tolist() == [1.0, 1.0]


def test_random_rates_change_with_the_epoch_or_every_n_updates():
    by_epoch = callbacks.RandomLearningRate(0.1, 0.2, seed=3).build(RUN).rates(20)
    assert [len(set(part)) for part in np.split(by_epoch, 4)] == [1] * 4
    assert len(set(by_epoch)) == 4
    by_updates = callbacks.RandomLearningRate(0.1, 0.2, every=2, seed=3).build(RUN).rates(20)
    assert len(set(by_updates)) == 10
    other = callbacks.RandomLearningRate(0.1, 0.2, seed=4).build(RUN).rates(20)
    assert not set(by_epoch) & set(other)
    jitter = callbacks.RandomJitter(0.1, every=1, seed=3).build(RUN).rates(1000)
    assert jitter.min() >= 0.9 and jitter.max() <= 1.1 and abs(jitter.mean() - 1) < 0.01


def test_an_epoch_that_is_no_whole_number_of_updates():
    # 5 batches, 2 to an update: epochs begin at updates 0, 2.5, 5, 7.5.
    run = Run(epochs=4, steps_per_epoch=2.5)
    rates = callbacks.RandomLearningRate(0.1, 0.2, seed=3).build(run).rates(10)
    changes = np.flatnonzero(np.diff(rates)) + 1
    assert changes.tolist() == [3, 5, 8]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: callbacks.FitSchedule("cosine"), "`schedule` must be a schedule.*Received"),
        (lambda: callbacks.FitSchedule(None), "`schedule` must be a schedule.*Received"),
        (lambda: callbacks.Warmup(-1), "`duration` must be .* Received: duration=-1"),
        (lambda: callbacks.Warmup("soon"), "`duration` must be .* Received: duration='soon'"),
        (lambda: callbacks.Warmup(True), "`duration` must be .* Received: duration=True"),
        (lambda: callbacks.Warmup(3, start=2.0), "`start` must be .* <= 1"),
        (lambda: callbacks.Warmup(3, shape="bent"), "`shape` must be one of"),
        (lambda: callbacks.RandomLearningRate(0.2, 0.1), "`maximum` must be >= minimum"),
        (lambda: callbacks.RandomLearningRate(-0.1, 0.1), "`minimum` must be .* >= 0"),
        (lambda: callbacks.RandomLearningRate(0.1, 0.2, every=0), "`every` must be an integer"),
        (lambda: callbacks.RandomLearningRate(0.1, 0.2, every="day"), "`every` must be"),
        (lambda: callbacks.RandomJitter(1.5), "`amplitude` must be .* <= 1"),
        (lambda: callbacks.RandomJitter(0.1, seed=0.5), "`seed` must be an integer"),
    ],
)
def test_bad_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()
