"""What an argument must be: each kind is defined once and always raises the same sentence."""

import inspect
import itertools
import math
import numbers
import os
import reprlib
from collections.abc import Mapping, Set
from dataclasses import dataclass

_LONGEST_SHOWN = 1_000
_MOST_SHOWN = 10_000
_MOST_ENTRIES = 10**7
FLOAT32_MOST = (2.0 - 2.0**-23) * 2.0**127


def refuse(name, required, value):
    """Raises the ValueError of all checks: what is required, then what was received."""
    raise ValueError(f"`{name}` must be {required}. Received: {name}={shown(value)}")


def shown(value):
    """Returns the repr of a value, cut to a length that a message can have."""
    try:
        # What refers to itself many times has a repr that nobody lives to see.
        text = repr(value) if _is_small(value) else reprlib.repr(value)
    except Exception as error:
        # Integers of more than 4,300 digits have none, nor have some objects of users.
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def _is_small(value):
    containers, parts = [value], 0
    while containers:
        entries = containers.pop()
        if isinstance(entries, Mapping):
            entries = entries.values()
        elif not isinstance(entries, (list, tuple, set, frozenset)):
            continue
        for entry in entries:
            parts += 1
            if parts > _MOST_SHOWN:
                return False
            containers.append(entry)
    return True


@dataclass(frozen=True)
class Size:
    """The numbers that a type of a training step can hold, 0 among them."""

    least: float
    most: float
    words: str

    def __contains__(self, number):
        return number == 0 or self.least <= abs(number) <= self.most


FLOAT32 = Size(2.0**-149, FLOAT32_MOST, "that float32 can hold, 0 or 1.4e-45 to 3.4e+38 in size")
# Smaller numbers have fewer digits there, and are 0 on some devices.
NORMAL = Size(2.0**-126, FLOAT32_MOST, "that float32 can hold, 1.2e-38 to 3.4e+38 in size")
# What was calculated may be too small: a step has 0 then, as near as it gets.
CALCULATED = Size(0.0, FLOAT32_MOST, "that float32 can hold, up to 3.4e+38 in size")
INT32 = Size(0, 2**31 - 1, "below 2**31")


@dataclass(frozen=True)
class Number:
    """A finite number within bounds, returned as `float` (as `int` if `integer`).

    With a `size` it is also one that a training step can compute with.
    """

    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    below: float | None = None
    integer: bool = False
    size: Size | None = None

    def __str__(self):
        bounds = {">=": self.minimum, ">": self.above, "<=": self.maximum, "<": self.below}
        limits = [f"{sign} {bound}" for sign, bound in bounds.items() if bound is not None]
        kind = "an integer" if self.integer else "a finite number"
        return " ".join([kind, " and ".join(limits)]).strip()

    def __call__(self, name, value):
        number = as_number(value)
        if number is None or not _is_finite(number) or not self._within(number):
            refuse(name, self, value)
        if self.integer and number != int(number):
            refuse(name, self, value)
        if self.size is not None and number not in self.size:
            refuse(name, f"{self} {self.size.words}", value)
        if self.integer:
            return int(number)
        try:
            return float(number)
        except OverflowError:
            refuse(name, f"{self} that a float can hold", value)

    def _within(self, number):
        return (
            (self.minimum is None or number >= self.minimum)
            and (self.above is None or number > self.above)
            and (self.maximum is None or number <= self.maximum)
            and (self.below is None or number < self.below)
        )


def _is_finite(number):
    try:
        return math.isfinite(number)
    except OverflowError:
        # An integer or a fraction that no float can hold.
        return True


def as_number(value):
    """Returns a real scalar as a Python number, or None for anything else (booleans too).

    >>> as_number(3), as_number(0.5), as_number(True), as_number("0.1")
    (3, 0.5, None, None)
    """
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        try:
            value = value.item()
        except (TypeError, ValueError, RuntimeError):
            # A tensor without a value: symbolic, or of a step that is being traced.
            return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    return value


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple

    def __str__(self):
        return "one of " + ", ".join(repr(word) for word in self.words)

    def __call__(self, name, value):
        if not isinstance(value, str) or value not in self.words:
            refuse(name, self, value)
        return value


def flag(name, value):
    """A boolean. 0 and 1 pass; other numbers and words, perhaps of another argument, do not."""
    if not isinstance(value, (bool, int)) or value not in (0, 1):
        refuse(name, "True or False", value)
    return bool(value)


def path(name, value, required):
    """The path of a file, as a string."""
    try:
        found = os.fspath(value)
    except TypeError:
        found = None
    if not isinstance(found, str) or not found or "\0" in found:
        refuse(name, required, value)
    return found


def text(name, value):
    """A string or None."""
    if value is not None and not isinstance(value, str):
        refuse(name, "a string", value)
    return value


def sequence(name, value, kind, *, at_least=1):
    """A tuple of `at_least` entries, each of which passes `kind`."""
    of = "" if inspect.isroutine(kind) else f", each entry {kind}"
    if isinstance(value, Set):
        refuse(name, f"a list (a set has no order){of}", value)
    if isinstance(value, (str, bytes, bytearray, Mapping)):
        refuse(name, f"a list{of}", value)
    try:
        found = iter(value)
    except TypeError:
        # Scalar arrays and tensors have an `__iter__` too.
        refuse(name, f"a list{of}", value)
    entries = []
    for i, entry in enumerate(itertools.islice(found, _MOST_ENTRIES + 1)):
        entries.append(kind(f"{name}[{i}]", entry))
    entries = tuple(entries)
    if len(entries) > _MOST_ENTRIES:
        refuse(name, f"a list of at most {_MOST_ENTRIES} entries", value)
    if len(entries) < at_least:
        refuse(name, f"a list of {at_least} or more", value)
    return entries


def gone(module, names):
    """Returns a `__getattr__` for a module: public names that went say what to write instead.

    `names` is a dictionary of sentences. Looking up one of them raises ImportError, because
    `from … import` hides the message of an AttributeError; any other name raises AttributeError.
    Assign it under `if not typing.TYPE_CHECKING:`, or type checkers accept every name.

    >>> look_up = gone("keras_lr.schedules", {"old": "Write `new`."})
    >>> look_up("old")
    Traceback (most recent call last):
    ImportError: `keras_lr.schedules.old` is gone. Write `new`.
    """

    def look_up(name):
        if name in names:
            raise ImportError(f"`{module}.{name}` is gone. {names[name]}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return look_up


def increasing(name, values):
    """Raises unless `values` are strictly increasing, as far as they can be compared."""
    if any(b <= a for a, b in zip(values, values[1:])):
        refuse(name, "strictly increasing", list(values))


RATE = Number(minimum=0, size=FLOAT32)
REAL = Number(size=FLOAT32)
POSITIVE = Number(above=0, size=NORMAL)
NOT_NEGATIVE = Number(minimum=0)
CALCULATED_RATE = Number(minimum=0, size=CALCULATED)
COUNT = Number(minimum=1, integer=True, size=INT32)
"""The kinds most arguments are of: a learning rate, any finite number, a number above 0, a margin
of a metric, a calculated rate, and a number of updates, which Keras counts in 31 bits."""
