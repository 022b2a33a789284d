"""Durations in the user's own units: `"10 epochs"`, `"5%"`, `"500 steps"`.

A schedule counts in updates. A duration in epochs or in percent of the run is converted when the
length of the run is known: by `schedule.resolve(...)`, or in `fit` by `FitSchedule`.
"""

import math
import re
from dataclasses import dataclass
from decimal import Decimal

from keras_lr import checks

_LIMIT = 2**31
# Beyond, the number of periods that have passed is no number in float32.
_SHORTEST = 1e-6
_PATTERN = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*(%|epochs?|ep|steps?|updates?)\s*")
_FORM = 'a number of updates, or a duration such as "10 epochs", "5%" or "500 steps"'


class HasDurations:
    """The base of dataclasses, schedules all of them, in whose fields durations are looked for."""


@dataclass(frozen=True)
class Run:
    """The length of a training run in epochs and updates; what is unknown is None."""

    epochs: float | None = None
    steps_per_epoch: float | None = None
    total_steps: float | None = None

    def __post_init__(self):
        for name in ("epochs", "steps_per_epoch", "total_steps"):
            if getattr(self, name) is not None:
                checks.POSITIVE(name, getattr(self, name))
        if self.total_steps is None and self.epochs and self.steps_per_epoch:
            object.__setattr__(self, "total_steps", self.epochs * self.steps_per_epoch)
        if self.steps_per_epoch is None and self.epochs and self.total_steps:
            object.__setattr__(self, "steps_per_epoch", self.total_steps / self.epochs)

    def of_twice_the_length(self):
        """Returns a run with epochs twice as long, to find out what depends on their length."""
        return Run(self.epochs, 2 * self.steps_per_epoch)


@dataclass(frozen=True, repr=False)
class Duration:
    """A length of training in epochs, or as a fraction of the whole run."""

    value: float
    unit: str

    def __post_init__(self):
        limits = {"epochs": checks.Number(above=0), "fraction": checks.Number(above=0, maximum=1)}
        checks.Choice(tuple(limits))("unit", self.unit)
        object.__setattr__(self, "value", limits[self.unit](self.unit, self.value))

    def __repr__(self):
        return f"{self.unit}({_plain(self.value)})"

    def __str__(self):
        """Returns the form that configs have and constructors accept, such as "10 epochs"."""
        if self.unit == "epochs":
            return f"{_plain(self.value)} epochs"
        return f"{_plain(self.value, shift=2)}%"

    def in_updates(self, run):
        """Returns the duration in whole updates, at least 1."""
        needed = "steps_per_epoch" if self.unit == "epochs" else "total_steps"
        length = getattr(run, needed)
        if length is None:
            given = "epochs=…, steps_per_epoch=…" if self.unit == "fraction" else f"{needed}=…"
            raise ValueError(
                f"A duration of {self} needs the length of the run: `resolve({given})`. "
                f"Received: {run}"
            )
        updates = self.value * length
        if updates > checks.FLOAT32_MOST:
            raise ValueError(f"A duration of {self} is too long for a run. Received: {run}")
        return max(1, _rounded(updates))


def _rounded(updates):
    # Halves go up. Python's `round` turns 0.5 into 0 and 1.5 into 2.
    return math.floor(updates + 0.5)


class Share(Duration):
    """A percentage of a recipe's own length: the recipe resolves it, not the run."""

    def __repr__(self):
        return repr(str(self))

    def rounded(self, total):
        """Returns the share of `total` in whole updates."""
        return _rounded(self.value * total)


def _plain(number, shift=0):
    # All digits and no exponent, so that reading it back gives the same number.
    return f"{Decimal(repr(number)).scaleb(shift).normalize():f}"


def epochs(value):
    """A duration in epochs, the same as the string `"<value> epochs"`.

    >>> from keras_lr.schedules import LinearDecay, epochs
    >>> LinearDecay(0.1, epochs(2)).resolve(steps_per_epoch=50)
    LinearDecay(0.1, 100)
    """
    return Duration(value, "epochs")


def fraction(value):
    """A share of the whole run, 0 < value <= 1, the same as the string `"<100·value>%"`.

    >>> from keras_lr.schedules import LinearDecay, fraction
    >>> LinearDecay(0.1, fraction(0.5)).resolve(epochs=4, steps_per_epoch=50)
    LinearDecay(0.1, 100)
    """
    return Duration(value, "fraction")


def steps(value):
    """A duration in updates: the plain number.

    >>> steps(500)
    500
    """
    return Length()("steps", value)


def parse(name, value):
    """Returns a duration, given in any form, as a `Duration` or a number of updates."""
    if isinstance(value, Duration):
        return value
    if isinstance(value, str):
        match = _PATTERN.fullmatch(value)
        if match is None:
            checks.refuse(name, _FORM, value)
        number, unit = Decimal(match[1]), match[2]
        if number == 0:
            return 0
        if unit == "%" and number > 100:
            checks.refuse(name, "at most 100%", value)
        if unit == "%":
            return fraction(float(number.scaleb(-2)))
        if unit.startswith("ep"):
            return epochs(_finite(name, float(number), value))
        return _updates(name, float(number), value)
    return _updates(name, checks.as_number(value), value)


def _finite(name, number, value):
    if number is None or number != number or abs(number) == math.inf:
        checks.refuse(name, _FORM, value)
    return number


def _updates(name, number, value):
    """Returns a number of updates, whole ones as integers."""
    number = _finite(name, number, value)
    if number not in checks.NORMAL:
        checks.refuse(name, f"{_FORM}, {checks.NORMAL.words}", value)
    # Whole numbers stay integers: int32 arithmetic is exact where float32 ends at 2²⁴.
    return int(number) if number == int(number) and abs(number) < _LIMIT else float(number)


@dataclass(frozen=True)
class Length:
    """The check of a length: real, or whole updates if `integer`; above 0, or from `minimum` 0."""

    integer: bool = False
    minimum: int = 1

    def __str__(self):
        bound = ">= 0" if self.minimum == 0 else "> 0"
        return f"{_FORM}, {bound}" + (", whole and < 2**31" if self.integer else "")

    def __call__(self, name, value):
        duration = parse(name, value)
        if isinstance(duration, Duration):
            return duration
        if duration < 0 or (duration == 0 and self.minimum > 0):
            checks.refuse(name, self, value)
        if self.integer and not isinstance(duration, int):
            checks.refuse(name, self, value)
        if 0 < duration < _SHORTEST:
            checks.refuse(name, f"{_FORM}, not less than {_SHORTEST:.0e} updates", value)
        return duration


@dataclass(frozen=True)
class OwnLength(Length):
    """The check of a part of a recipe: whole updates >= 0; percentages are of the recipe."""

    integer: bool = True
    minimum: int = 0

    def __call__(self, name, value):
        duration = super().__call__(name, value)
        is_share = isinstance(duration, Duration) and duration.unit == "fraction"
        return Share(duration.value, "fraction") if is_share else duration


@dataclass(frozen=True)
class Milestones:
    """The check of a list of boundaries: whole updates >= 0, strictly increasing."""

    def __call__(self, name, value):
        milestones = checks.sequence(name, value, Length(integer=True, minimum=0))
        checks.increasing(name, [m for m in milestones if not isinstance(m, Duration)])
        return milestones
