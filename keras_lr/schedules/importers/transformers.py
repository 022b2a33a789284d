"""The schedules of Hugging Face Transformers, by the names of its `get_scheduler`."""

import functools
from fractions import Fraction

from keras_lr import checks
from keras_lr.schedules.annealing import KDecay, LinearDecay, SqrtDecay
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.cyclic import Repeat
from keras_lr.schedules.decay import Constant, InverseSquareRootDecay
from keras_lr.schedules.importers.shared import WHOLE, call, cosine, find, warmed_up
from keras_lr.schedules.interpolation import PiecewiseCosine
from keras_lr.schedules.keras_schedules import CosineDecayRestarts, PolynomialDecay


def from_transformers(
    name, learning_rate, num_warmup_steps=0, num_training_steps=None, **arguments
) -> Schedule:
    """Returns the schedule that `get_scheduler` of Transformers builds for a name.

    `name` is an `lr_scheduler_type` and `arguments` are its `lr_scheduler_kwargs`. As there,
    schedules that do not need the numbers of steps ignore them.

    >>> from keras_lr.schedules import from_transformers
    >>> from_transformers("linear", 1.0, 2, 6).rates(7).tolist()
    [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0]
    >>> from_transformers("constant_with_warmup", 0.1, 100)
    LinearDecay(0.0, 100, end_learning_rate=0.1)

    Conventions: a warmup climbs by t / num_warmup_steps, so the first update has rate 0;
    `num_training_steps` includes the warmup. The rate at t is that of Transformers for every t,
    with one exception: after `num_training_steps` the end is held, whereas three of its cosines
    ("cosine", "cosine_with_min_lr", "cosine_warmup_with_min_lr") rise again. The last of these is
    one update ahead, in its warmup and at its end, here as there. "warmup_stable_decay" climbs
    from `min_lr_ratio` of the rate.

    Raises ValueError for other names and arguments, and for "reduce_lr_on_plateau" and "greedy",
    which follow a metric: see `keras_lr.callbacks`.
    """
    build = find("name", name, TRANSLATIONS, REFUSALS)
    rate = checks.POSITIVE("learning_rate", learning_rate)
    warmup = WHOLE("num_warmup_steps", num_warmup_steps)
    if name in _OTHERS:
        build = functools.partial(build, rate, warmup, num_training_steps)
        return call("from_transformers", name, build, arguments)
    steps = _after_warmup(warmup, num_training_steps)
    decay = call("from_transformers", name, functools.partial(build, rate, steps), arguments)
    return warmed_up(decay, 0.0, rate, warmup)


def _after_warmup(warmup, total):
    more = checks.Number(minimum=warmup + 1, integer=True)
    return more("num_training_steps", total) - warmup


def _linear(rate, steps):
    return LinearDecay(rate, steps)


def _polynomial(rate, steps, lr_end=1e-7, power=1.0):
    end = checks.Number(minimum=0, below=rate)("lr_end", lr_end)
    return PolynomialDecay(rate, steps, end, power)


def _cosine(rate, steps, num_cycles=0.5):
    return _waves(rate, steps, 0.0, num_cycles)


def _cosine_to(rate, steps, num_cycles=0.5, min_lr=None, min_lr_rate=None):
    return _waves(rate, steps, _lowest(rate, min_lr, min_lr_rate), num_cycles)


def _lowest(rate, min_lr, min_lr_rate):
    if (min_lr is None) == (min_lr_rate is None):
        checks.refuse("min_lr", "given, or min_lr_rate, but not both", min_lr)
    return rate * checks.RATE("min_lr_rate", min_lr_rate) if min_lr is None else min_lr


def _waves(rate, steps, low, num_cycles, end=None):
    """Returns a cosine of `num_cycles` waves between `rate` and `low`, then `end`, held."""
    if num_cycles == 0.5:
        return cosine(rate, steps, low)
    half_wave = steps / (2 * checks.POSITIVE("num_cycles", num_cycles))
    waves = Repeat(PiecewiseCosine([0, 1, 2], [rate, low, rate]), 2).stretch(half_wave)
    return waves.then(Constant(waves.rates([steps])[0] if end is None else end), steps)


def _restarts(rate, steps, num_cycles=1):
    count = checks.Number(minimum=1, integer=True)("num_cycles", num_cycles)
    cycle = Fraction(steps, count)
    cycles = CosineDecayRestarts(rate, float(cycle), t_mul=1.0)
    # Every second cycle of 12.5 updates begins at a whole update: repeat those 25, exactly.
    cycles = cycles if cycle.denominator == 1 else Repeat(cycles, cycle.numerator)
    return cycles.then(Constant(0.0), steps)


def _constant(rate, warmup, total):
    return Constant(rate)


def _constant_with_warmup(rate, warmup, total):
    return LinearDecay(0.0, warmup, rate) if warmup else Constant(rate)


def _inverse_sqrt(rate, warmup, total, timescale=None):
    decay = InverseSquareRootDecay(rate, timescale or warmup or 10_000)
    return warmed_up(decay, 0.0, rate, warmup)


def _cosine_ahead(
    rate,
    warmup,
    total,
    num_cycles=0.5,
    min_lr=None,
    min_lr_rate=None,
    warmup_lr_rate=None,
):
    # Both clocks are one update ahead, so without a warmup the peak is never reached.
    least = 1 if warmup_lr_rate is None else 2
    checks.Number(minimum=least, integer=True)("num_warmup_steps", warmup)
    steps = _after_warmup(warmup, total)
    decay = _waves(rate, steps, _lowest(rate, min_lr, min_lr_rate), num_cycles)
    first = rate / warmup if warmup_lr_rate is None else rate * warmup_lr_rate
    return warmed_up(decay, first, rate, warmup - 1)


_CLIMBS = {
    "linear": LinearDecay,
    "cosine": KDecay,
    "1-sqrt": lambda start, steps, peak: PolynomialDecay(start, steps, peak, power=0.5),
}


def _stable(
    rate,
    warmup,
    total,
    num_decay_steps,
    num_stable_steps=None,
    warmup_type="linear",
    decay_type="cosine",
    min_lr_ratio=0.0,
    num_cycles=0.5,
):
    checks.Choice(tuple(_CLIMBS))("warmup_type", warmup_type)
    low = rate * checks.RATE("min_lr_ratio", min_lr_ratio)
    if num_stable_steps is None:
        least = checks.Number(minimum=warmup + num_decay_steps, integer=True)
        num_stable_steps = least("num_training_steps", total) - warmup - num_decay_steps
    falls = {
        "linear": LinearDecay,
        "cosine": functools.partial(_waves, num_cycles=num_cycles, end=low),
        "1-sqrt": SqrtDecay,
    }
    fall = falls[checks.Choice(tuple(falls))("decay_type", decay_type)]
    decay = fall(rate, num_decay_steps, low)
    if num_stable_steps:
        decay = Constant(rate).then(decay, num_stable_steps)
    return warmed_up(decay, low, rate, warmup, _CLIMBS[warmup_type])


_DECAYS = {
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_restarts": _restarts,
    "cosine_with_min_lr": _cosine_to,
    "polynomial": _polynomial,
}
_OTHERS = {
    "constant": _constant,
    "constant_with_warmup": _constant_with_warmup,
    "inverse_sqrt": _inverse_sqrt,
    "cosine_warmup_with_min_lr": _cosine_ahead,
    "warmup_stable_decay": _stable,
}
TRANSLATIONS = {**_DECAYS, **_OTHERS}
REFUSALS = {
    "reduce_lr_on_plateau": (
        "`reduce_lr_on_plateau` follows a metric, so it is not a function of time: use the "
        "callback `keras_lr.callbacks.ReduceLROnPlateau`."
    ),
    "greedy": (
        "`greedy` follows the loss, so it is not a function of time: use the callback "
        "`keras_lr.callbacks.GreedyLR`."
    ),
}
