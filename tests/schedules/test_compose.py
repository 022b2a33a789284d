import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr import schedules as s

BASE = s.CosineDecay(0.1, 60, alpha=0.1)
OTHER = s.StepDecay(0.5, 7, 0.8)
STEPS = np.arange(200)
updates = st.integers(0, 150)
factors = st.floats(0.25, 8)


def same(left, right, steps=STEPS):
    np.testing.assert_allclose(left.rates(steps), right.rates(steps), rtol=1e-12, atol=1e-14)


# Laws


@given(updates, updates)
def test_shift_of_shift(first, second):
    same(BASE.shift(first).shift(second), BASE.shift(first + second))


@given(factors, factors)
def test_stretch_of_stretch(first, second):
    same(BASE.stretch(first).stretch(second), BASE.stretch(first * second))


@given(st.integers(1, 60), st.integers(1, 60))
def test_sequences_associate(first, second):
    left = BASE.then(OTHER, first).then(s.Constant(0.3), first + second)
    right = BASE.then(OTHER.then(s.Constant(0.3), second), first)
    same(left, right)
    same(left, s.Sequential([BASE, OTHER, 0.3], [first, first + second]))


@given(st.integers(1, 60), st.integers(1, 60))
def test_hold_of_a_multiple(every, times):
    same(BASE.hold(every).hold(every * times), BASE.hold(every * times))


@pytest.mark.parametrize(
    "identity",
    [BASE.shift(0), BASE.stretch(1), BASE.hold(1), BASE * 1, BASE + 0, BASE.with_warmup(0)]
    + [BASE.jitter(0.0), BASE.then(OTHER, 10**6), OTHER.then(BASE, 0), BASE.clip(0.0, 1.0)],
)
def test_identities(identity):
    same(identity, BASE)


@pytest.mark.parametrize("shape", ["linear", "cosine", "polynomial", "exponential"])
@given(warmup=st.integers(1, 100), start=st.floats(1e-6, 0.2))
def test_warmup_reaches_the_peak_at_its_last_update(shape, warmup, start):
    rates = s.Warmup(BASE, warmup, start=start, shape=shape).rates(warmup + 100)
    assert rates[warmup - 1] == rates[warmup] == 0.1
    assert (np.diff(rates[:warmup]) * (0.1 - start) >= -1e-15).all()
    np.testing.assert_allclose(rates[warmup:], BASE.rates(100), rtol=1e-12)


def test_warmup_wastes_no_update():
    assert s.Warmup(1.0, 4).rates(5).tolist() == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert s.Warmup(1.0, 1).rates(2).tolist() == [1.0, 1.0]


def test_overlay_lets_the_clock_run():
    rates = BASE.with_warmup(20, overlay=True).rates(STEPS)
    np.testing.assert_array_equal(rates[19:], BASE.rates(STEPS)[19:])
    np.testing.assert_allclose(rates[:19], BASE.rates(19) * np.arange(1, 20) / 20)


def test_epochs_become_updates():
    in_epochs = s.StepDecay(1.0, 2, 0.5)
    np.testing.assert_array_equal(
        in_epochs.stretch(10).rates(100), s.StepDecay(1.0, 20, 0.5).rates(100)
    )


def test_accumulated_micro_steps():
    # Keras gives a schedule micro-steps: four of them are one update.
    by_update = BASE.stretch(4).hold(4).rates(400)
    np.testing.assert_allclose(by_update, np.repeat(BASE.rates(100), 4), rtol=1e-12)


def test_then_makes_a_sequence_longer():
    schedule = BASE.then(OTHER, "4 epochs").then(0.01, "6 epochs")
    assert schedule == s.Sequential((BASE, OTHER, 0.01), ("4 epochs", "6 epochs"))
    out_of_order = BASE.then(OTHER, "4 epochs").then(0.01, "2 epochs")
    with pytest.raises(ValueError, match="`boundaries` must be strictly increasing. Received"):
        out_of_order.resolve(steps_per_epoch=10)
    with pytest.raises(ValueError, match="`boundaries` must be strictly increasing. Received"):
        BASE.then(OTHER, 40).then(0.01, 20)


MARKS = [
    (BASE.with_warmup(10), ((10, "warmup end"),)),
    (BASE.with_warmup(10).shift(5), ((15, "warmup end"),)),
    (BASE.with_warmup(10).stretch(2.5), ((25, "warmup end"),)),
    (BASE.with_warmup(10).hold(4), ((12, "warmup end"),)),
    (BASE.with_warmup(10).clip(0.05).jitter(0.1), ((10, "warmup end"),)),
    (
        s.Constant(0.1).then(BASE.with_warmup(5).then(0.2, at=20), at=30),
        ((30, "boundary"), (35, "warmup end"), (50, "boundary")),
    ),
    (BASE.with_warmup(30).then(0.1, at=20), ((20, "boundary"),)),
    (
        s.CosineDecayRestarts(0.1, 40).with_warmup(10, overlay=True),
        ((10, "warmup end"), (40, "restart")),
    ),
    (s.CosineDecayRestarts(0.1, 25.5, 1.0), ((26, "restart"), (51, "restart"), (77, "restart"))),
    (s.PolynomialDecay(0.1, 40, cycle=True), ((41, "restart"), (81, "restart"))),
    (s.CosineDecay(0.0, 40, warmup_target=0.1, warmup_steps=8), ((8, "warmup end"),)),
    (s.PiecewiseConstantDecay([30], [0.1, 0.2]), ((31, "boundary"),)),
    (s.NoamDecay(64, 20), ((20, "warmup end"),)),
    (s.StepDecay(0.1, 5, 0.5), ()),
    # Cycles shorter than an update have no marks, and no end of them either.
    (s.PolynomialDecay(0.1, 1e-6, cycle=True), ()),
    (s.CosineDecayRestarts(0.1, 1e-6, 1.0), ()),
]


@pytest.mark.parametrize("schedule, marks", MARKS, ids=lambda value: repr(value)[:40])
def test_marks(schedule, marks):
    assert schedule.marks(100) == marks
    # What begins at a mark is seen there: the rate bends or jumps.
    for update, _ in marks:
        before, at, after = schedule.rates([update - 1, update, update + 1])
        assert s.Hold in map(type, [schedule]) or not np.isclose(after - at, at - before, rtol=1e-9)


def test_marks_of_a_run():
    assert BASE.with_warmup(10).marks(9) == ()
    with pytest.raises(ValueError, match="`last` must be an integer >= 0. Received: last=-1"):
        BASE.marks(-1)
    with pytest.raises(ValueError, match="not in updates yet: 5%"):
        BASE.with_warmup("5%").marks(100)


def test_boundaries_take_effect_at_their_update_and_clocks_restart():
    schedule = s.LinearDecay(1.0, 10).then(s.LinearDecay(0.5, 2), at=3)
    np.testing.assert_allclose(schedule.rates(6), [1.0, 0.9, 0.8, 0.5, 0.25, 0.0])


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: s.Sequential([BASE, OTHER], [1, 2]), "`boundaries` must be one fewer than the 2"),
        (lambda: s.Sequential([BASE] * 3, [5, 5]), "`boundaries` must be strictly increasing"),
        (lambda: s.Sequential(BASE, [5]), "`schedules` must be a list.*Received: schedules="),
        (lambda: s.Sequential([BASE, "x"], [5]), r"`schedules\[1\]` must be a schedule.*Received"),
        (lambda: BASE.then(OTHER, 2.5), r"`boundaries\[0\]` must be .*whole.*Received"),
        (lambda: BASE.then(OTHER, -1), r"`boundaries\[0\]` must be .*>= 0.*Received"),
        (lambda: BASE.with_warmup(-1), "`warmup_steps` must be .*>= 0.*Received: warmup_steps=-1"),
        (lambda: BASE.with_warmup(5, start=-1), "`start` must be .*>= 0. Received: start=-1"),
        (lambda: BASE.with_warmup(5, shape="bent"), "`shape` must be one of 'linear'.*Received"),
        (
            lambda: BASE.with_warmup(5, shape="exponential"),
            "`start` must be > 0 for an exponential",
        ),
        (lambda: BASE.with_warmup(5, overlay="no"), "`overlay` must be True or False. Received"),
        (lambda: BASE.clip(), "`minimum` must be given, or maximum. Received: minimum=None"),
        (lambda: BASE.clip(0.2, 0.1), "`maximum` must be >= minimum = 0.2. Received: maximum=0.1"),
        (lambda: BASE.clip(float("nan")), "`minimum` must be a finite number. Received"),
        (lambda: BASE.shift(-1), "`steps` must be .*>= 0.*Received: steps=-1"),
        (lambda: BASE.stretch(0), "`factor` must be .*> 0. Received: factor=0"),
        (lambda: BASE.hold(0), "`every` must be .*> 0.*Received: every=0"),
        (lambda: s.Shift(keras.optimizers.SGD, 1), "`schedule` must be a schedule.*Received"),
    ],
)
def test_bad_arguments(build, says):
    with pytest.raises(ValueError, match=says):
        build()
