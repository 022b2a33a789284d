"""What one callback has a say in: the base, a factor, or both."""

import math
from typing import NamedTuple

from keras_lr.schedules import Schedule


class Contribution(NamedTuple):
    """A base, which takes the place of the optimizer's own rate, and a factor on whatever it is.

    Schedules are functions of the fit's clock and become part of the compiled step. Numbers may be
    replaced between any two updates. `base=None` leaves the base to others.
    """

    base: Schedule | float | None = None
    factor: Schedule | float = 1.0


class Total(NamedTuple):
    """All contributions of a fit together, and the part of it that is compiled."""

    base: Schedule | None
    factors: tuple
    scale: float
    level: float

    @classmethod
    def of(cls, contributions):
        """Returns the product: `(scale · base + level) × factors`.

        >>> Total.of([Contribution(0.2), Contribution(factor=0.5)])
        Total(base=None, factors=(), scale=0.0, level=0.1)
        """
        bases = [c.base for c in contributions if c.base is not None]
        factors = [c.factor for c in contributions]
        scale = math.prod(f for f in factors if not isinstance(f, Schedule))
        compiled = tuple(f for f in factors if isinstance(f, Schedule))
        base = bases[0] if bases else None
        if base is None or isinstance(base, Schedule):
            return cls(base, compiled, scale, 0.0)
        return cls(None, compiled, 0.0, scale * base)
