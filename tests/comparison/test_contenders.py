"""What can be compared, and what is refused before anything is trained."""

import functools

import keras
import numpy as np
import pytest

from keras_lr import callbacks, schedules
from keras_lr.comparison.contenders import Contender, contenders
from keras_lr.schedules.durations import Run

RUN = Run(5, 8.0, 40)
CASES = {
    "a schedule": (schedules.LinearDecay(1.0, 40), schedules.LinearDecay(0.3, 40)),
    "with durations": (
        schedules.LinearDecay(1.0, "100%").with_warmup("1 epoch", overlay=True),
        schedules.LinearDecay(0.3, 40).with_warmup(8, overlay=True) * (1.0 / 0.825),
    ),
    "a class": (schedules.LinearToZero, schedules.LinearToZero(0.3, 40)),
    "a class of Keras'": (
        keras.optimizers.schedules.CosineDecay,
        schedules.CosineDecay(0.3, 40),
    ),
    "one of Keras'": (
        keras.optimizers.schedules.CosineDecay(0.7, 40),
        schedules.CosineDecay(0.3, 40),
    ),
    "a function of the peak": (
        lambda peak: schedules.LinearToZero(peak, "100%", warmup=4),
        schedules.LinearToZero(0.3, 40, warmup=4),
    ),
    "a partial function": (
        functools.partial(schedules.LinearToZero, total_steps="100%", warmup=4),
        schedules.LinearToZero(0.3, 40, warmup=4),
    ),
    "an array": (np.linspace(2.0, 1.0, 40), schedules.LinearDecay(0.3, 39, 0.15)),
    "a number": (0.7, schedules.Constant(0.3)),
    "an early end at a high rate": (
        schedules.PiecewiseConstantDecay([10], [1.0, 0.1]),
        schedules.PiecewiseConstantDecay([10], [0.3, 0.03]),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_rates_of_a_contender_have_the_peak(name):
    given, expected = CASES[name]
    rates, made = Contender("it", given, RUN).at(0.3)
    assert made is None
    np.testing.assert_allclose(rates, expected.rates(40), rtol=1e-12)


def test_a_schedule_at_its_own_peak_keeps_every_bit():
    schedule = schedules.CosineDecay(0.1, 40)
    rates, _ = Contender("it", schedule, RUN).at(0.1)
    assert rates.tobytes() == schedule.rates(40).tobytes()


def test_callbacks_are_new_in_every_run():
    given = callbacks.ReduceLROnPlateau(patience=3)
    contender = Contender("it", given, RUN)
    (_, first), (_, second) = contender.at(0.1), contender.at(0.1)
    assert first[0] is not given and first[0] is not second[0]
    assert first[0].patience == 3 and contender.is_tuned
    _, made = Contender("it", lambda peak: [callbacks.FitSchedule(peak)], RUN).at(0.1)
    assert made[0].planned == schedules.Constant(0.1)


def test_callbacks_with_a_rate_of_their_own_are_not_tuned():
    assert not Contender("it", callbacks.AutoLearningRate(), RUN).is_tuned


def test_a_constant_is_always_there_once():
    assert list(contenders({"a": schedules.LinearToZero}, RUN)) == ["constant", "a"]
    found = contenders({"constant": schedules.Constant(0.2), "a": 1.0}, RUN)
    assert list(found) == ["constant", "a"]


def test_what_is_described_alike_trains_alike():
    def described(given, rate=0.1):
        return Contender("it", given, RUN).described(rate)

    linear = schedules.LinearDecay(1.0, 40)
    assert described(linear) == described(lambda peak: schedules.LinearDecay(peak, "100%"))
    assert described(linear) != described(linear, 0.2)
    plateau = callbacks.ReduceLROnPlateau
    assert described(plateau(patience=3)) == described(plateau(patience=3))
    assert described(plateau(patience=3)) != described(plateau(patience=4))
    theirs = keras.callbacks.LearningRateScheduler
    assert described(theirs(lambda e, r: r)) != described(theirs(lambda e, r: 0.5 * r))
    half, third = (lambda e, r, by=by: r / by for by in (2, 3))
    assert described(theirs(half)) != described(theirs(third))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (schedules.LinearDecay(1.0, 400), "must be as long as the run, 40 updates"),
        (schedules.LinearDecay(1.0, 20), "must be as long as the run, 40 updates"),
        (lambda peak: schedules.CosineDecay(peak, 80), "which ends at update 80"),
        (np.ones(39), "an array of 40 rates"),
        (lambda step: 0.1, r"a function of the update goes into LambdaDecay"),
        (lambda peak: "linear", "a schedule, an array of the rates"),
        ("linear", "a schedule, an array of the rates"),
        (schedules.ExponentialDecay, "a class that is built from its highest rate"),
        (schedules.LinearDecay(0.0, 40), "one above 0"),
        (None, "a schedule, an array of the rates"),
        ([], "an array of 40 rates"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_refused(given, message):
    with pytest.raises(ValueError, match=message) as caught:
        contenders({"it": given}, RUN)
    assert "schedules['it']" in str(caught.value)


@pytest.mark.parametrize("given", [{}, [schedules.LinearToZero], {3: 0.1}, {"": 0.1}, None])
def test_schedules_have_names(given):
    with pytest.raises(ValueError, match="`schedules` must be a mapping"):
        contenders(given, RUN)
