"""A step computes in float32: what it would make something else of is refused before training."""

import fractions

import keras
import numpy as np
import pytest

from keras_lr import schedules as s

T = [0, 1, 5, 9, 10, 11, 1000]

TOO_LARGE_OR_SMALL = [
    (s.Constant, (1e300,), "learning_rate"),
    (s.Constant, (1e-50,), "learning_rate"),
    (s.Constant, (10**400,), "learning_rate"),
    (s.Constant, (fractions.Fraction(10**400),), "learning_rate"),
    (s.LinearDecay, (0.1, 10, 3.5e38), "end_learning_rate"),
    (s.LinearDecay, (0.1, 1e-300), "decay_steps"),
    (s.LinearDecay, (0.1, 10**400), "decay_steps"),
    (s.LinearDecay, (0.1, "9" * 400 + " steps"), "decay_steps"),
    (s.LinearDecay, (0.1, "9" * 400 + " epochs"), "decay_steps"),
    (s.PolynomialDecay, (0.1, 10, 0.0, 1e-300), "power"),
    (s.InverseTimeDecay, (0.1, 1e-308, 1e308), "decay_steps"),
    (s.NoamDecay, (1e-320, 1), "d_model"),
    (s.Tabulated, ([0.1, 1e300],), r"values\[1\]"),
    (s.Clip, (s.Constant(0.1), -1e300), "minimum"),
]


@pytest.mark.parametrize("build, arguments, name", TOO_LARGE_OR_SMALL)
def test_arguments_that_float32_cannot_hold(build, arguments, name):
    with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}="):
        build(*arguments)


@pytest.mark.parametrize("length", [1e-7, 1e-30])
def test_a_length_that_no_count_of_periods_can_bear(length):
    with pytest.raises(
        ValueError, match="`decay_steps` must be .*, not less than 1e-06 updates. R"
    ):
        s.ExponentialDecay(0.1, length, 0.5)


NO_RATES = [
    (lambda: s.Constant(1e30) * s.Constant(1e30), "Product"),
    (lambda: s.CosineDecay(1e30, 10, alpha=1e10), "CosineDecay"),
    (lambda: s.NoamDecay(1.2e-38, 1, scale=1e38), "NoamDecay"),
    (lambda: (s.LinearDecay(0.1, 10) - 0.2).with_warmup(4, start=0.1, shape="exponential"), "Warm"),
    (lambda: s.ExponentialDecay(0.1, 1, 1e38) * 1e10, "Product"),
]


@pytest.mark.parametrize("build, name", NO_RATES)
def test_first_and_last_rates_that_float32_cannot_hold(build, name):
    says = rf"{name}.* must have rates that are numbers which float32 can hold. Received: .* at upd"
    with pytest.raises(ValueError, match=says):
        build()


def test_a_rate_that_outgrows_float32_is_seen_when_it_is_asked_for():
    growing = s.ExponentialDecay(0.1, 1, 2.0)
    assert growing.rates([100])[0] == pytest.approx(0.1 * 2.0**100)
    with pytest.raises(ValueError, match=r"Exp.* must have rates .*Received: .* at update 200$"):
        growing.rates([100, 200])
    with pytest.raises(ValueError, match="at update 200$"):
        growing(200)


# TanhDecay: refused where the tangent is flat, and right to a millionth of the peak elsewhere


@pytest.mark.parametrize("lower, upper", [(5, 12), (8, 9), (3, 9), (-9.5, -9.1), (9.2, 12)])
def test_flat_tangents(lower, upper):
    with pytest.raises(ValueError, match=f"`upper` must be where tanh is .* flat .*upper={upper}"):
        s.TanhDecay(0.1, 10, lower=lower, upper=upper)


@pytest.mark.parametrize("lower, upper", [(20, 30), (-40, -20), (-1e30, 3)])
def test_tangents_beyond_float64(lower, upper):
    with pytest.raises(
        ValueError, match="`(lower|upper)` must be a finite number >= -20 and <= 20"
    ):
        s.TanhDecay(0.1, 10, lower=lower, upper=upper)


STEEP = [
    s.TanhDecay(1.0, 100, lower=-6.0, upper=3.0),
    s.TanhDecay(1.0, 100, lower=1.0, upper=3.0),
    s.TanhDecay(1.0, 100, lower=-20.0, upper=20.0),
    s.TanhDecay(1.0, 100, lower=1.5, upper=20.0),
    s.RexDecay(1.0, 100, beta=0.9999999999),
    s.RexDecay(1.0, 100, beta=0.9),
    s.KDecay(1.0, 100, k=1e30),
    s.PolynomialDecay(1.0, 100, 0.0, power=1e-6),
]


@pytest.mark.parametrize("schedule", STEEP, ids=repr)
def test_a_compiled_step_has_the_rates_of_the_host(schedule):
    updates = np.arange(0, 120, 7)
    compiled = in_float32(schedule, updates)
    np.testing.assert_allclose(compiled, schedule.rates(updates), rtol=0, atol=5e-6)


def in_float32(schedule, updates):
    """Returns the rates by the formula of a compiled step, where this back end computes it."""
    from keras import ops

    from keras_lr.schedules.evaluation import in_graph

    return ops.convert_to_numpy(ops.cast(schedule.rate(in_graph(updates), ops), "float32"))


def test_wide_random_rates_are_refused():
    with pytest.raises(ValueError, match="`maximum` must be <= 1e.30 . minimum = .*Received: max"):
        s.RandomLogUniform(1e-37, 1e37)


# Sets have no order


@pytest.mark.parametrize("order", [set, frozenset])
@pytest.mark.parametrize(
    "build, name",
    [
        (lambda entries: s.Tabulated(entries), "values"),
        (lambda entries: s.PiecewiseConstantDecay([1], entries), "values"),
        (lambda entries: s.PiecewiseConstantDecay(entries, [0.1, 0.2, 0.3]), "boundaries"),
        (lambda entries: s.MultiStepDecay(0.1, entries, 0.5), "milestones"),
        (lambda entries: s.Sequential(entries, [1]), "schedules"),
        (lambda entries: s.WarmRestarts(0.1, entries), "periods"),
        (lambda entries: s.Product(entries), "terms"),
    ],
)
def test_sets_are_refused(build, name, order):
    with pytest.raises(ValueError, match=rf"`{name}` must be a list \(a set has no order\)"):
        build(order([1, 2]))


# What Keras trains with, we do not stop

THEIRS = [
    keras.optimizers.schedules.PiecewiseConstantDecay([1.5], [0.1, 0.2]),
    keras.optimizers.schedules.PolynomialDecay(0.1, 10, -0.01),
    keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.0),
    keras.optimizers.schedules.ExponentialDecay(-0.1, 10, 0.5),
    keras.optimizers.schedules.CosineDecay(0.1, 10, alpha=-0.5),
    keras.optimizers.schedules.InverseTimeDecay(0.1, 10, -0.01),
]


@pytest.mark.parametrize("theirs", THEIRS, ids=lambda schedule: type(schedule).__name__)
def test_schedules_of_keras_with_arguments_that_ours_refuse(theirs):
    ours = s.get(theirs)
    steps = [0, 1, 2, 5, 9, 20]
    np.testing.assert_allclose(ours.rates(steps), [float(theirs(t)) for t in steps], atol=1e-7)
    with pytest.raises(ValueError, match="Received: "):
        getattr(s, type(theirs).__name__)(**theirs.get_config())


def test_the_base_class_of_keras_has_no_rate():
    base = keras.optimizers.schedules.LearningRateSchedule()
    with pytest.raises(
        ValueError, match="`identifier` must be a schedule with a formula.*Received"
    ):
        s.get(base)
