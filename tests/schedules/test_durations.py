import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr import schedules as s
from keras_lr.schedules import durations


@pytest.mark.parametrize(
    "text, duration",
    [
        ("10 epochs", s.epochs(10)),
        ("1 epoch", s.epochs(1)),
        (" 2.5ep ", s.epochs(2.5)),
        ("5%", s.fraction(0.05)),
        ("7 %", s.fraction(0.07)),
        ("100%", s.fraction(1.0)),
        (".5%", s.fraction(0.005)),
        ("500 steps", 500),
        ("1 step", 1),
        ("20 updates", 20),
        ("2.5 steps", 2.5),
    ],
)
def test_strings(text, duration):
    assert durations.parse("decay_steps", text) == duration
    assert s.LinearDecay(0.1, text) == s.LinearDecay(0.1, duration)


@pytest.mark.parametrize(
    "bad",
    ["", "ten epochs", "10", "10 metres", "-5 steps", "0 epochs", "0%", "150%", "5%%", "nan epochs"]
    + [0, -1, -0.5, float("nan"), float("inf"), True, None, [10], 1j],
)
def test_what_is_no_duration(bad):
    with pytest.raises(ValueError, match="`decay_steps` must be .*Received: decay_steps="):
        s.LinearDecay(0.1, bad)


@pytest.mark.parametrize("bad", [2.5, "2.5 steps", 2**31, 0])
def test_what_is_no_whole_number_of_updates(bad):
    with pytest.raises(ValueError, match=r"`step_size` must be .*Received: step_size="):
        s.StepDecay(0.1, bad, 0.5)


@pytest.mark.parametrize("build, bad", [(s.epochs, 0), (s.epochs, -1), (s.fraction, 1.5)])
def test_durations_within_bounds(build, bad):
    with pytest.raises(
        ValueError, match=rf"`{build.__name__}` must be .*Received: {build.__name__}="
    ):
        build(bad)


def test_steps_are_the_plain_number():
    assert s.steps(500) == 500
    assert type(s.steps(np.float64(500))) is int
    with pytest.raises(ValueError, match="`steps` must be .*> 0. Received: steps=0"):
        s.steps(0)


@given(st.floats(min_value=0, max_value=1, exclude_min=True))
def test_fractions_survive_their_text(value):
    duration = s.fraction(value)
    assert durations.parse("x", str(duration)) == duration
    assert eval(repr(duration), vars(s)) == duration


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False))
def test_epochs_survive_their_text(value):
    duration = s.epochs(value)
    assert durations.parse("x", str(duration)) == duration
    assert eval(repr(duration), vars(s)) == duration


# resolve


def test_resolve_at_every_depth():
    schedule = s.LinearDecay(0.1, "10 epochs").with_warmup("5%").then(s.Constant(0.01), "50%")
    resolved = schedule.resolve(20, steps_per_epoch=100)
    assert resolved == s.LinearDecay(0.1, 1000).with_warmup(100).then(s.Constant(0.01), 1000)
    assert schedule.resolve(total_steps=2000, epochs=20) == resolved


def test_resolve_keeps_the_name_and_what_is_in_updates():
    schedule = s.LinearDecay(0.1, "50%", name="mine")
    assert schedule.resolve(total_steps=10).name == "mine"
    plain = s.LinearDecay(0.1, 10)
    assert plain.resolve(total_steps=1000) == plain


@pytest.mark.parametrize(
    "duration, per_epoch, updates",
    # Half a step is rounded up, and nothing becomes no step at all.
    [("1 epoch", 7, 7), ("0.5 epochs", 7, 4), ("0.1 epochs", 1, 1), (s.epochs(1.5), 1, 2)],
)
def test_rounding_of_epochs(duration, per_epoch, updates):
    resolved = s.LinearDecay(0.1, duration).resolve(steps_per_epoch=per_epoch)
    assert resolved.decay_steps == updates
    assert type(resolved.decay_steps) is int


@pytest.mark.parametrize("share, total, updates", [("5%", 1000, 50), ("1%", 10, 1), ("25%", 10, 3)])
def test_rounding_of_fractions(share, total, updates):
    assert s.LinearDecay(0.1, share).resolve(total_steps=total).decay_steps == updates


def test_boundaries_that_meet_after_rounding_are_refused():
    schedule = s.Sequential([s.Constant(r) for r in (0.1, 0.2, 0.3)], ["10%", "11%"])
    with pytest.raises(ValueError, match="`boundaries` must be strictly increasing. Received"):
        schedule.resolve(total_steps=10)


def test_what_the_run_does_not_tell():
    with pytest.raises(ValueError, match=r"10 epochs needs .*`resolve\(steps_per_epoch=…\)`"):
        s.LinearDecay(0.1, "10 epochs").resolve(total_steps=100)
    with pytest.raises(ValueError, match=r"5% needs .*`resolve\(epochs=…, steps_per_epoch=…\)`"):
        s.LinearDecay(0.1, "5%").resolve(steps_per_epoch=100)


@pytest.mark.parametrize("name", ["epochs", "steps_per_epoch", "total_steps"])
@pytest.mark.parametrize("bad", [0, -1, float("nan"), "10", True])
def test_bad_length_of_a_run(name, bad):
    with pytest.raises(
        ValueError, match=f"`{name}` must be a finite number > 0. Received: {name}="
    ):
        s.LinearDecay(0.1, "5%").resolve(**{name: bad})


@pytest.mark.parametrize("use", [lambda x: x(0), lambda x: x.rates(3), lambda x: x.describe(3)])
def test_unresolved_schedule_says_how_to_resolve(use):
    schedule = s.Constant(0.1).with_warmup("5%") * s.LinearDecay(1.0, "10 epochs")
    fix = r"not in updates yet: 5%, 10 epochs. .*`schedule.resolve\(epochs=…, steps_per_epoch=…\)`"
    with pytest.raises(ValueError, match=fix + ".*`FitSchedule"):
        use(schedule)


def test_unresolved_schedule_round_trips():
    schedule = s.LinearDecay(0.1, "10 epochs").with_warmup(s.fraction(1 / 3))
    assert eval(repr(schedule), vars(s)) == schedule
    assert type(schedule).from_config(schedule.get_config()) == schedule
    assert schedule.get_config()["warmup_steps"] == "33.33333333333333%"
