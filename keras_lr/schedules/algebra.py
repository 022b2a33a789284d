"""Arithmetic of schedules and numbers: sums, products, maximum and minimum."""

import functools

from keras_lr import checks
from keras_lr.schedules.base import Named, Schedule, operation
from keras_lr.schedules.coerce import Terms, as_term


class _Combination(Named):
    """The base of combinations of terms, which are schedules and plain numbers."""

    terms: Terms

    def combine(self, left, right, xp):
        """Returns the combination of the rates of two terms."""
        raise NotImplementedError(f"{type(self).__name__} must define `combine`.")

    def rate(self, t, xp):
        rates = [
            term.rate(t, xp) if isinstance(term, Schedule) else term * xp.ones_like(t)
            for term in self.terms
        ]
        return functools.reduce(lambda left, right: self.combine(left, right, xp), rates)

    def _marks(self, last):
        for term in self.terms:
            yield from term._marks(last) if isinstance(term, Schedule) else ()

    @property
    def length(self):
        lengths = [term.length for term in self.terms if isinstance(term, Schedule)]
        return None if None in lengths else max(lengths, default=0)

    @classmethod
    def of(cls, *terms):
        """Returns the combination of terms; one of its own kind is not nested but taken apart."""
        flat = []
        for term in terms:
            flat += term.terms if type(term) is cls else [as_term("terms", term)]
        return cls(tuple(flat))


class Sum(_Combination):
    """The sum of schedules and numbers, written `a + b` and `a - b`.

    A difference may be negative; clip it if you need to: `(a - b).clip(0.0)`.

    >>> from keras_lr.schedules import LinearDecay
    >>> (LinearDecay(1.0, 2) - 0.25).rates(3).tolist()
    [0.75, 0.25, -0.25]
    """

    def combine(self, left, right, xp):
        return left + right


class Product(_Combination):
    """The product of schedules and numbers, written `a * b`.

    >>> from keras_lr.schedules import LinearDecay, StepDecay
    >>> (LinearDecay(1.0, 4) * StepDecay(1.0, 2, 0.5) * 0.8).rates(4).round(4).tolist()
    [0.8, 0.6, 0.2, 0.1]
    """

    def combine(self, left, right, xp):
        return left * right


class Maximum(_Combination):
    """The largest of schedules and numbers at each update, written `maximum(a, b)`.

    >>> from keras_lr.schedules import LinearDecay, StepDecay, maximum
    >>> maximum(LinearDecay(1.0, 4), StepDecay(0.8, 2, 0.5), 0.2).rates(5).tolist()
    [1.0, 0.8, 0.5, 0.4, 0.2]
    """

    def combine(self, left, right, xp):
        return xp.maximum(left, right)


class Minimum(_Combination):
    """The smallest of schedules and numbers at each update, written `minimum(a, b)`.

    >>> from keras_lr.schedules import LinearDecay, minimum
    >>> minimum(LinearDecay(1.0, 4), 0.6).rates(5).tolist()
    [0.6, 0.6, 0.5, 0.25, 0.0]
    """

    def combine(self, left, right, xp):
        return xp.minimum(left, right)


def _operator(build):
    # What is neither a number nor a schedule is left to Python, which raises a TypeError.
    @operation
    @functools.wraps(build)
    def operator(left, right):
        if any(checks.as_number(x) is None and not callable(x) for x in (left, right)):
            return NotImplemented
        return build(as_term("term", left), as_term("term", right))

    return operator


@_operator
def added(left, right):
    """Returns `left + right`."""
    return Sum.of(left, right)


@_operator
def subtracted(left, right):
    """Returns `left - right`."""
    negative = Product.of(right, -1.0) if isinstance(right, Schedule) else -right
    return Sum.of(left, negative)


@_operator
def multiplied(left, right):
    """Returns `left * right`; a number goes behind the schedule that it scales."""
    return Product.of(*((left, right) if isinstance(left, Schedule) else (right, left)))


def maximum(*terms) -> Schedule:
    """Returns the largest of schedules, functions of the step and numbers, at each update."""
    return Maximum.of(*terms)


def minimum(*terms) -> Schedule:
    """Returns the smallest of schedules, functions of the step and numbers, at each update."""
    return Minimum.of(*terms)
