"""What an argument must be: each kind is defined once and always raises the same sentence."""

import inspect
import math
import numbers
from dataclasses import dataclass


def refuse(name, required, value):
    """Raises the ValueError of all checks: what is required, then what was received."""
    raise ValueError(f"`{name}` must be {required}. Received: {name}={value!r}")


@dataclass(frozen=True)
class Number:
    """A finite number within bounds, returned as `float` (as `int` if `integer`)."""

    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    below: float | None = None
    integer: bool = False

    def __str__(self):
        bounds = {">=": self.minimum, ">": self.above, "<=": self.maximum, "<": self.below}
        limits = [f"{sign} {bound}" for sign, bound in bounds.items() if bound is not None]
        kind = "an integer" if self.integer else "a finite number"
        return " ".join([kind, " and ".join(limits)]).strip()

    def __call__(self, name, value):
        number = as_number(value)
        if number is None or not math.isfinite(number) or not self._within(number):
            refuse(name, self, value)
        if self.integer and number != int(number):
            refuse(name, self, value)
        return int(number) if self.integer else float(number)

    def _within(self, number):
        return (
            (self.minimum is None or number >= self.minimum)
            and (self.above is None or number > self.above)
            and (self.maximum is None or number <= self.maximum)
            and (self.below is None or number < self.below)
        )


def as_number(value):
    """Returns a real scalar as a Python number, or None for anything else (booleans too).

    >>> as_number(3), as_number(0.5), as_number(True), as_number("0.1")
    (3, 0.5, None, None)
    """
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
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


def text(name, value):
    """A string or None."""
    if value is not None and not isinstance(value, str):
        refuse(name, "a string", value)
    return value


def sequence(name, value, kind, *, at_least=1):
    """A tuple of `at_least` entries, each of which passes `kind`."""
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
        of = "" if inspect.isroutine(kind) else f", each entry {kind}"
        refuse(name, f"a list{of}", value)
    entries = tuple(kind(f"{name}[{i}]", entry) for i, entry in enumerate(value))
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


RATE = Number(minimum=0)
REAL = Number()
POSITIVE = Number(above=0)
"""The kinds most arguments are of: a learning rate, any finite number, a number above 0."""
