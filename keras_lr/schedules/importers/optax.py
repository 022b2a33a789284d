"""Optax's schedules, by the names and arguments of its functions."""

import itertools

from keras_lr import checks
from keras_lr.schedules.annealing import LinearDecay
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.decay import Constant
from keras_lr.schedules.function import Tabulated
from keras_lr.schedules.importers.shared import WHOLE, call, cosine, find, in_turn, warmed_up
from keras_lr.schedules.interpolation import PiecewiseCosine, PiecewiseLinear
from keras_lr.schedules.keras_schedules import ExponentialDecay, PolynomialDecay


def from_optax(name, **arguments) -> Schedule:
    """Returns the schedule that the function `optax.<name>` builds from these arguments.

    >>> from keras_lr.schedules import from_optax
    >>> from_optax("linear_schedule", init_value=0.1, end_value=0.0, transition_steps=90)
    LinearDecay(0.1, 90)
    >>> arguments = dict(init_value=0.0, peak_value=1.0, warmup_steps=2, decay_steps=6)
    >>> from_optax("warmup_cosine_decay_schedule", **arguments).rates(7).round(4).tolist()
    [0.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 0.0]

    Conventions: a warmup climbs by t / warmup_steps, so its first update has `init_value`;
    `decay_steps` includes the warmup (Keras' own does not); boundaries take effect at t >= b; end
    values are held. `join_schedules` takes our schedules or functions of the step. A cosine with
    an `exponent` other than 1 becomes a table of decay_steps + 1 rates.

    Raises ValueError for other names and arguments, and also where Optax only logs that it falls
    back to a constant: for transition_steps <= 0, transition_begin < 0 and decay_rate = 0.
    """
    return call("from_optax", name, find("name", name, TRANSLATIONS, REFUSALS), arguments)


def _constant(value):
    return Constant(value)


def _begun(schedule, begin):
    return schedule if begin == 0 else schedule.shift(begin)


def _linear(init_value, end_value, transition_steps, transition_begin=0):
    return _begun(LinearDecay(init_value, transition_steps, end_value), transition_begin)


def _polynomial(init_value, end_value, power, transition_steps, transition_begin=0):
    decay = PolynomialDecay(init_value, transition_steps, end_value, power)
    return _begun(decay, transition_begin)


def _exponential(
    init_value, transition_steps, decay_rate, transition_begin=0, staircase=False, end_value=None
):
    decay = ExponentialDecay(init_value, transition_steps, decay_rate, staircase)
    if end_value is not None:
        decay = decay.clip(end_value) if decay_rate < 1 else decay.clip(maximum=end_value)
    return _begun(decay, transition_begin)


def _cosine(init_value, decay_steps, alpha=0.0, exponent=1.0):
    decay = cosine(init_value, decay_steps, alpha * init_value)
    if exponent == 1:
        return decay
    shares = cosine(1.0, decay_steps, 0.0).rates(WHOLE("decay_steps", decay_steps) + 1)
    return Tabulated(init_value * ((1.0 - alpha) * shares**exponent + alpha))


def _points(init_value, boundaries_and_scales):
    """Returns the rate at each boundary: the product of all scales up to there."""
    scales = dict(sorted((boundaries_and_scales or {}).items()))
    values = itertools.accumulate(scales.values(), lambda a, b: a * b, initial=init_value)
    # Starts with 0, so that a boundary at 0 replaces the initial rate, as in Optax.
    return dict(zip([0, *scales], values))


def _piecewise_constant(init_value, boundaries_and_scales=None):
    points = _points(init_value, boundaries_and_scales)
    return in_turn(map(Constant, points.values()), list(points)[1:])


def _piecewise_interpolate(interpolate_type, init_value, boundaries_and_scales=None):
    curves = {"linear": PiecewiseLinear, "cosine": PiecewiseCosine}
    curve = curves[checks.Choice(tuple(curves))("interpolate_type", interpolate_type)]
    points = _points(init_value, boundaries_and_scales)
    if len(points) == 1:
        return Constant(*points.values())
    return curve(list(points), list(points.values()))


def _linear_onecycle(
    transition_steps,
    peak_value,
    pct_start=0.3,
    pct_final=0.85,
    div_factor=25.0,
    final_div_factor=1e4,
):
    scales = {
        int(pct_start * transition_steps): div_factor,
        int(pct_final * transition_steps): 1.0 / div_factor,
        transition_steps: 1.0 / final_div_factor,
    }
    return _piecewise_interpolate("linear", peak_value / div_factor, scales)


def _cosine_onecycle(
    transition_steps, peak_value, pct_start=0.3, div_factor=25.0, final_div_factor=1e4
):
    scales = {
        int(pct_start * transition_steps): div_factor,
        int(transition_steps): 1.0 / (div_factor * final_div_factor),
    }
    return _piecewise_interpolate("cosine", peak_value / div_factor, scales)


def _warmup_constant(init_value, peak_value, warmup_steps):
    return LinearDecay(init_value, warmup_steps, peak_value)


def _warmup_cosine(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0, exponent=1.0):
    alpha = end_value / peak_value if peak_value else 0.0
    decay = _cosine(peak_value, decay_steps - warmup_steps, alpha, exponent)
    return warmed_up(decay, init_value, peak_value, warmup_steps)


def _warmup_exponential(init_value, peak_value, warmup_steps, transition_steps, decay_rate, **rest):
    decay = _exponential(peak_value, transition_steps, decay_rate, **rest)
    return warmed_up(decay, init_value, peak_value, warmup_steps)


def _sgdr(cosine_kwargs):
    cycles = list(cosine_kwargs)
    ends = list(itertools.accumulate(cycle["decay_steps"] for cycle in cycles))
    return in_turn([_warmup_cosine(**cycle) for cycle in cycles], ends[:-1])


TRANSLATIONS = {
    "constant_schedule": _constant,
    "linear_schedule": _linear,
    "polynomial_schedule": _polynomial,
    "exponential_decay": _exponential,
    "cosine_decay_schedule": _cosine,
    "piecewise_constant_schedule": _piecewise_constant,
    "piecewise_interpolate_schedule": _piecewise_interpolate,
    "linear_onecycle_schedule": _linear_onecycle,
    "cosine_onecycle_schedule": _cosine_onecycle,
    "warmup_constant_schedule": _warmup_constant,
    "warmup_cosine_decay_schedule": _warmup_cosine,
    "warmup_exponential_decay_schedule": _warmup_exponential,
    "sgdr_schedule": _sgdr,
    "join_schedules": in_turn,
}
REFUSALS: dict[str, str] = {}
