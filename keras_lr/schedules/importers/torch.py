"""PyTorch's schedulers, by the names and arguments of `torch.optim.lr_scheduler`."""

import collections
import functools
import itertools
import operator
from fractions import Fraction

from keras_lr import checks
from keras_lr.schedules.annealing import LinearDecay
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.cyclic import CyclicalLearningRate, Repeat
from keras_lr.schedules.decay import Constant, MultiStepDecay, StepDecay
from keras_lr.schedules.function import LambdaDecay, Tabulated
from keras_lr.schedules.importers.shared import call, find, in_turn
from keras_lr.schedules.interpolation import PiecewiseCosine, PiecewiseLinear
from keras_lr.schedules.keras_schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    PolynomialDecay,
)

_COUNT = checks.Number(minimum=1, integer=True)
# These overwrite the optimizer's rate with their own.
_OWN_RATES = ("OneCycleLR", "CyclicLR")


def from_torch(scheduler, learning_rate=None, **arguments) -> Schedule:
    """Returns the schedule of a PyTorch scheduler, given by its name or class and its arguments.

    `scheduler` is a class of `torch.optim.lr_scheduler` or the name of one; `arguments` are that
    class's own, with its defaults. `learning_rate` is the optimizer's rate (`OneCycleLR` and
    `CyclicLR` have their own). `schedulers`, of a `SequentialLR` or a `ChainedScheduler`, are pairs
    of a name or class and a dictionary of arguments.

    >>> from keras_lr.schedules import from_torch
    >>> from_torch("StepLR", 0.1, step_size=30)
    StepDecay(0.1, 30, 0.1)
    >>> from_torch("CosineAnnealingLR", 1.0, T_max=2).rates(5).round(4).tolist()
    [1.0, 0.5, 0.0, 0.5, 1.0]
    >>> pieces = [("LinearLR", {"start_factor": 0.5, "total_iters": 2}), ("PolynomialLR", {})]
    >>> from_torch("SequentialLR", 1.0, schedulers=pieces, milestones=[2]).rates(5).tolist()
    [0.5, 0.75, 1.0, 0.8, 0.6]

    Conventions: t counts the calls of `scheduler.step()`. If you call it once per epoch of n
    updates, append `.stretch(n).hold(n)`. The rate at t is PyTorch's after t calls, with four
    exceptions: `OneCycleLR` reaches its end at `total_steps - 1` and holds it (PyTorch raises at
    `total_steps + 1`); in a `ChainedScheduler`, a cosine is held at 0 after `T_max` (PyTorch then
    forgets the other factors); a table ends at `total_steps`; and PyTorch's recursions accumulate
    rounding errors, while these formulas are exact. Only the rate is translated, not
    `cycle_momentum`.

    The function of a `LambdaLR` is called with t as a float. With `total_steps=n` the result is a
    table of its first n values: then any Python function will do, and the schedule can be saved.
    `MultiplicativeLR`, a product of all factors so far, is always a table and needs `total_steps`.

    Raises ValueError for other names and arguments, for a scheduler object, whose arguments are
    not public, and for what has no rate of its own: for `ReduceLROnPlateau` see
    `keras_lr.callbacks.ReduceLROnPlateau`; `SWALR` starts at the rate it finds.
    """
    return _translate(_name("scheduler", scheduler), arguments, learning_rate)


def _name(argument, scheduler):
    """Returns the name of a class; raises ValueError, with what to write, for a live object."""
    if isinstance(scheduler, type):
        return scheduler.__name__
    name = type(scheduler).__name__
    if name in TRANSLATIONS:
        write = f"write from_torch({name!r}, learning_rate, …) with the arguments it was built from"
        checks.refuse(argument, f"a name or a class: {write}", scheduler)
    return name if name in REFUSALS else scheduler


def _entry(argument, value):
    """Returns a piece of a composition as a pair of a name and a dictionary of arguments."""
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not isinstance(value[1], dict):
        checks.refuse(argument, "a pair such as ('StepLR', {'step_size': 30})", value)
    return _name(argument, value[0]), value[1]


def _translate(name, arguments, learning_rate, translations=None):
    build = find("scheduler", name, translations or TRANSLATIONS, REFUSALS)
    if name not in _OWN_RATES:
        build = functools.partial(build, checks.RATE("learning_rate", learning_rate))
    return call("from_torch", name, build, arguments)


def _lambda(rate, lr_lambda, total_steps=None):
    if total_steps is None:
        return LambdaDecay(rate, lr_lambda)
    count = _COUNT("total_steps", total_steps)
    return Tabulated([rate * lr_lambda(step) for step in range(count)])


def _multiplicative(rate, lr_lambda, total_steps):
    factors = map(lr_lambda, range(1, _COUNT("total_steps", total_steps)))
    return Tabulated(list(itertools.accumulate(factors, operator.mul, initial=rate)))


def _step(rate, step_size, gamma=0.1):
    return StepDecay(rate, step_size, gamma)


def _multi_step(rate, milestones, gamma=0.1):
    times = collections.Counter(milestones)
    # A milestone that is given n times decays n times: one factor for each repetition.
    repetitions = range(max(times.values(), default=0))
    levels = [sorted(m for m in times if times[m] > n) for n in repetitions]
    decays = [MultiStepDecay(1.0 if n else rate, level, gamma) for n, level in enumerate(levels)]
    return functools.reduce(operator.mul, decays) if decays else Constant(rate)


def _constant(rate, factor=1 / 3, total_iters=5):
    return Constant(rate * factor).then(Constant(rate), _COUNT("total_iters", total_iters))


def _linear(rate, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    return LinearDecay(rate * start_factor, total_iters, rate * end_factor)


def _exponential(rate, gamma):
    return ExponentialDecay(rate, 1, gamma)


def _polynomial(rate, total_iters=5, power=1.0):
    return PolynomialDecay(rate, total_iters, 0.0, power)


def _cosine(rate, T_max, eta_min=0.0):
    half = _COUNT("T_max", T_max)
    there_and_back = PiecewiseCosine([0, half, 2 * half], [rate, eta_min, rate])
    return Repeat(there_and_back, 2 * half)


def _restarts(rate, T_0, T_mult=1, eta_min=0.0):
    alpha = eta_min / checks.POSITIVE("learning_rate", rate)
    return CosineDecayRestarts(rate, _COUNT("T_0", T_0), _COUNT("T_mult", T_mult), alpha=alpha)


def _cyclic(
    base_lr,
    max_lr,
    step_size_up=2000,
    step_size_down=None,
    mode="triangular",
    gamma=1.0,
    scale_fn=None,
):
    if scale_fn is not None:
        required = "None: multiply a CyclicalLearningRate by a LambdaDecay instead"
        checks.refuse("scale_fn", required, scale_fn)
    gamma = gamma if mode == "exp_range" else 1.0
    return CyclicalLearningRate(base_lr, max_lr, step_size_up, step_size_down, mode, gamma)


def _one_cycle(
    max_lr,
    total_steps=None,
    epochs=None,
    steps_per_epoch=None,
    pct_start=0.3,
    anneal_strategy="cos",
    div_factor=25.0,
    final_div_factor=1e4,
    three_phase=False,
):
    if total_steps is None:
        total_steps = _COUNT("epochs", epochs) * _COUNT("steps_per_epoch", steps_per_epoch)
    curve = {"cos": PiecewiseCosine, "linear": PiecewiseLinear}
    curve = curve[checks.Choice(tuple(curve))("anneal_strategy", anneal_strategy)]
    peak = checks.RATE("max_lr", max_lr)
    low = peak / checks.POSITIVE("div_factor", div_factor)
    end = low / checks.POSITIVE("final_div_factor", final_div_factor)
    # A phase may end between two updates: run the clock faster, so that all end at whole ticks.
    share = Fraction(checks.Number(minimum=0, maximum=1)("pct_start", pct_start))
    share = share.limit_denominator(2**30 // _COUNT("total_steps", total_steps))
    up, last = share * total_steps - 1, total_steps - 1
    points = [(0, low), (up, peak), *[(2 * up, low)] * bool(three_phase), (last, end)]
    times = [int(time * up.denominator) for time, _ in points]
    if any(b <= a for a, b in zip(times, times[1:])):
        required = f"such that each phase of the {total_steps} updates ends after the one before"
        checks.refuse("pct_start", required, pct_start)
    schedule = curve(times, [rate for _, rate in points])
    return schedule if up.denominator == 1 else schedule.stretch(1 / up.denominator)


def _sequential(rate, schedulers, milestones):
    pieces = checks.sequence("schedulers", schedulers, _entry)
    for i, (name, _) in enumerate(pieces):
        if name in (_NOT_LATER if i else _NOT_FIRST):
            required = "one that neither needs nor leaves a changed rate: join it with `.then(…)`"
            checks.refuse(f"schedulers[{i}]", required, name)
    return in_turn([_translate(*piece, rate) for piece in pieces], milestones)


def _chained(rate, schedulers):
    first, *others = checks.sequence("schedulers", schedulers, _entry)
    factors = [_translate(*other, 1.0, _FACTORS) for other in others]
    return functools.reduce(operator.mul, factors, _translate(*first, rate, _FACTORS))


def _falling_cosine(rate, T_max, eta_min=0.0):
    if eta_min != 0:
        checks.refuse("eta_min", "0 in a ChainedScheduler, which is a product", eta_min)
    return CosineDecay(rate, T_max)


TRANSLATIONS = {
    "LambdaLR": _lambda,
    "MultiplicativeLR": _multiplicative,
    "StepLR": _step,
    "MultiStepLR": _multi_step,
    "ConstantLR": _constant,
    "LinearLR": _linear,
    "ExponentialLR": _exponential,
    "PolynomialLR": _polynomial,
    "CosineAnnealingLR": _cosine,
    "CosineAnnealingWarmRestarts": _restarts,
    "CyclicLR": _cyclic,
    "OneCycleLR": _one_cycle,
    "SequentialLR": _sequential,
    "ChainedScheduler": _chained,
}
# In a SequentialLR, PyTorch steps compositions once too often; OneCycleLR, and CyclicLR in front,
# overwrite the rate that the others start from; MultiplicativeLR goes on from the rate it finds.
_NOT_FIRST = ("SequentialLR", "ChainedScheduler", "OneCycleLR", "CyclicLR")
_NOT_LATER = ("SequentialLR", "ChainedScheduler", "OneCycleLR", "MultiplicativeLR")
# These multiply the rate that they find; the others overwrite it.
_MULTIPLYING = (
    *("MultiplicativeLR", "StepLR", "MultiStepLR", "ConstantLR"),
    *("LinearLR", "ExponentialLR", "PolynomialLR"),
)
_FACTORS = {name: TRANSLATIONS[name] for name in _MULTIPLYING}
_FACTORS["CosineAnnealingLR"] = _falling_cosine
REFUSALS = {
    "ReduceLROnPlateau": (
        "`ReduceLROnPlateau` follows a metric, so it is not a function of time: use the callback "
        "`keras_lr.callbacks.ReduceLROnPlateau`."
    ),
    "SWALR": (
        "`SWALR` starts from the rate that it finds. Write `schedule.then(PiecewiseCosine([0, "
        "anneal_epochs], [rate_found, swa_lr]), at=swa_start)`."
    ),
}
