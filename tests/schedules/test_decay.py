import numpy as np
import pytest

from keras_lr import schedules as s


def test_time_constant():
    rates = s.NaturalExponentialDecay(1.0, 10, decay_rate=1.0).rates([0, 10, 20])
    np.testing.assert_allclose(rates[1:] / rates[:-1], np.exp(-1))


def test_natural_exponential_decay_by_the_update():
    np.testing.assert_allclose(
        s.NaturalExponentialDecay(0.1, decay_rate=0.2).rates([5]), 0.1 * np.exp(-1)
    )
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'decay_rate'"):
        s.NaturalExponentialDecay(0.1)


def test_boundaries_take_effect_at_their_update():
    assert s.StepDecay(1.0, 2, 0.5).rates(4).tolist() == [1.0, 1.0, 0.5, 0.5]
    assert s.MultiStepDecay(1.0, [2], 0.5).rates(4).tolist() == [1.0, 1.0, 0.5, 0.5]


def test_inverse_square_root_is_power_one_half():
    np.testing.assert_allclose(
        s.InverseSquareRootDecay(0.1, 7).rates(100), s.PowerDecay(0.1, 7, 0.5).rates(100)
    )


def test_noam_peaks_at_the_last_warmup_update():
    rates = s.NoamDecay(512, 25).rates(100)
    assert rates.argmax() == 24
    assert rates[24] == pytest.approx((512 * 25) ** -0.5)
    assert rates[0] > 0


def test_negative_steps_are_finite():
    for schedule in (s.PowerDecay(0.1, 7, 2.0), s.NoamDecay(512, 25)):
        np.testing.assert_array_equal(schedule.rates([-1, -7, -100]), schedule.rates([0])[0])


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: s.Constant(-0.1), "`learning_rate` must be a finite number >= 0. Received"),
        (lambda: s.Constant(float("nan")), "`learning_rate` must be .*Received: learning_rate=nan"),
        (lambda: s.Constant("0.1"), "`learning_rate` must be .*Received: learning_rate='0.1'"),
        (lambda: s.Constant(True), "`learning_rate` must be .*Received: learning_rate=True"),
        (
            lambda: s.StepDecay(0.1, 2.5, 0.5),
            "`step_size` must be .*whole.*Received: step_size=2.5",
        ),
        (lambda: s.StepDecay(0.1, 10, 0.0), "`decay_rate` must be .*> 0. Received: decay_rate=0.0"),
        (lambda: s.MultiStepDecay(0.1, [], 0.5), "`milestones` must be a list of 1 or more"),
        (lambda: s.MultiStepDecay(0.1, [3, 3], 0.5), "`milestones` must be strictly increasing"),
        (
            lambda: s.MultiStepDecay(0.1, 3, 0.5),
            "`milestones` must be a list.*Received: milestones=",
        ),
        (lambda: s.PowerDecay(0.1, 0, 0.5), "`timescale` must be .*> 0. Received: timescale=0"),
        (lambda: s.PowerDecay(0.1, 1, -1), "`power` must be .*> 0. Received: power=-1"),
        (lambda: s.InverseSquareRootDecay(0.1, -1), "`timescale` must be .*Received: timescale=-1"),
        (lambda: s.NoamDecay(0, 10), "`d_model` must be .*> 0. Received: d_model=0"),
        (lambda: s.NoamDecay(512, 0), "`warmup_steps` must be .*> 0.*Received: warmup_steps=0"),
    ],
)
def test_bad_arguments(build, says):
    with pytest.raises(ValueError, match=says):
        build()
