"""Random schedules: pure functions of (seed, t), the same on every back end, in any order.

They serve studies of robustness and sensitivity: no benefit of a random learning rate over a tuned
one has been measured, here or elsewhere.
"""

import functools
import hashlib
import math
import statistics
from typing import Annotated

import numpy as np
from keras import ops

from keras_lr import checks
from keras_lr.schedules.base import Named, operation
from keras_lr.schedules.coerce import Nested
from keras_lr.schedules.evaluation import real, whole_periods
from keras_lr.schedules.fields import Rate, Steps

Seed = Annotated[int, checks.Number(integer=True)]
_WIDEST = 1e30


class _Random(Named):
    """The base of random schedules: a new draw every `every` updates, fixed by `seed`."""

    def prepare(self):
        # `torch.compile` cannot trace a SHA-256.
        return {"_words": _seed_words(self.seed)}

    def _uniform(self, t, xp):
        return uniform(whole_periods(t, self.every, xp), self._words, xp)


class _Between(_Random):
    """The base of random rates between two bounds."""

    minimum: Rate
    maximum: Rate
    every: Steps = 1
    seed: Seed = 0

    def check(self):
        if self.maximum < self.minimum:
            checks.refuse("maximum", f">= minimum = {self.minimum}", self.maximum)


class RandomUniform(_Between):
    """A new draw from U(minimum, maximum) every `every` updates.

    `minimum * (1 - u) + maximum * u`, where u(seed, t // every) is one of 2²⁴ equidistant numbers
    in [0, 1): the same bits on every back end, in any order of calls, for fewer than 2³¹ draws. No
    benefit of a random rate over a tuned one has been measured.

    >>> from keras_lr.schedules import RandomUniform
    >>> RandomUniform(0.0, 1.0, every=2, seed=42).rates(4).round(4).tolist()
    [0.2879, 0.2879, 0.167, 0.167]
    """

    def rate(self, t, xp):
        u = self._uniform(t, xp)
        return self.minimum * (1.0 - u) + self.maximum * u


class RandomLogUniform(_Between):
    """A new draw every `every` updates; all orders of magnitude are equally likely.

    `minimum * (maximum / minimum) ** u` with the u of `RandomUniform`; `minimum > 0`. No benefit of
    a random rate over a tuned one has been measured.

    >>> from keras_lr.schedules import RandomLogUniform
    >>> RandomLogUniform(0.001, 0.1, every=2, seed=42).rates(4).round(5).tolist()
    [0.00377, 0.00377, 0.00216, 0.00216]
    """

    def check(self):
        super().check()
        if self.minimum == 0:
            checks.refuse("minimum", "> 0", self.minimum)
        if self.maximum > _WIDEST * self.minimum:
            # exp(span) would be infinite in float32.
            checks.refuse("maximum", f"<= {_WIDEST:.0e} * minimum = {self.minimum}", self.maximum)

    def rate(self, t, xp):
        span = math.log(self.maximum / self.minimum)
        return self.minimum * xp.exp(span * self._uniform(t, xp))


@operation
class Jitter(_Random):
    """A schedule times a random factor: `schedule(t) * (1 + r)`.

    r is drawn anew every `every` updates, a pure function of (seed, t // every) as in
    `RandomUniform`; 0 <= amplitude <= 1. `distribution` may be "uniform", r ~ U(-amplitude,
    amplitude); "normal", with standard deviation amplitude / 2, truncated at ±amplitude; or
    "log_uniform", `1 + r = (1 + amplitude) ** v` with v ~ U(-1, 1). Its use is to find out how
    sensitive a run is to its rate; no benefit over a tuned rate has been measured.

    >>> from keras_lr.schedules import Jitter
    >>> Jitter(1.0, 0.5, seed=42).rates(2).round(4).tolist()
    [0.7879, 0.667]
    """

    schedule: Nested
    amplitude: Annotated[float, checks.Number(minimum=0, maximum=1)]
    every: Steps = 1
    seed: Seed = 0
    distribution: Annotated[str, checks.Choice(("uniform", "normal", "log_uniform"))] = "uniform"

    def rate(self, t, xp):
        v = 2.0 * self._uniform(t, xp) - 1.0
        return self.schedule.rate(t, xp) * self._factor(v, xp)

    def _factor(self, v, xp):
        if self.distribution == "log_uniform":
            return xp.exp(math.log1p(self.amplitude) * v)
        z = 0.5 * _truncated_normal(v, xp) if self.distribution == "normal" else v
        return 1.0 + self.amplitude * z

    def _marks(self, last):
        return self.schedule._marks(last)


def _truncated_normal(v, xp):
    """Returns quantiles, from -2 to 2, of a standard normal truncated at ±2, at (1 + v) / 2.

    NumPy has no inverse error function. With x its argument, the quantile is v times a function of
    log(1 - x²) that is smooth enough for a polynomial to approximate it to 1e-13.
    """
    x = _WITHIN_2_SIGMA * v
    w = xp.log((1.0 - x) * (1.0 + x)) / _LOWEST * 2.0 - 1.0
    return functools.reduce(lambda tail, c: tail * w + c, _COEFFICIENTS) * v


_NORMAL = statistics.NormalDist()
_WITHIN_2_SIGMA = 1.0 - 2.0 * _NORMAL.cdf(-2.0)
_LOWEST = math.log(1.0 - _WITHIN_2_SIGMA**2)


def _fitted():
    """Returns the polynomial's coefficients, the highest power first."""

    def ratio(w):
        x = math.sqrt(-math.expm1((w + 1.0) / 2.0 * _LOWEST))
        return _NORMAL.inv_cdf((1.0 + x) / 2.0) / x * _WITHIN_2_SIGMA

    chebyshev = np.polynomial.chebyshev.chebinterpolate(np.vectorize(ratio), 18)
    return tuple(np.polynomial.chebyshev.cheb2poly(chebyshev)[::-1].tolist())


_COEFFICIENTS = _fitted()


def uniform(index, words, xp):
    """Returns draws in [0, 1), multiples of 2⁻²⁴: an integer hash of (seed, index).

    Two rounds of a 32-bit mixer, keyed by two words of the seed's SHA-256, in int32 with overflow.
    Integer operations give the same bits everywhere, whereas `keras.random` differs between back
    ends and is constant in a compiled JAX step.
    """
    first, second = (_constant(word, xp) for word in words)
    index = index.astype("int64").astype("int32") if xp is np else ops.cast(index, "int32")
    mixed = _mix(xp.add(_mix(xp.bitwise_xor(index, first), xp), second), xp)
    return real(_shift_right(mixed, 8, xp), xp) * 2.0**-24


def _mix(x, xp):
    x = xp.bitwise_xor(x, _shift_right(x, 16, xp))
    x = xp.multiply(x, _constant(0x7FEB352D, xp))
    x = xp.bitwise_xor(x, _shift_right(x, 15, xp))
    x = xp.multiply(x, _constant(0x846CA68B - 2**32, xp))
    return xp.bitwise_xor(x, _shift_right(x, 16, xp))


def _shift_right(x, bits, xp):
    # An int32 shift fills in copies of the sign bit; the mask clears them.
    mask = _constant((1 << (32 - bits)) - 1, xp)
    return xp.bitwise_and(xp.right_shift(x, _constant(bits, xp)), mask)


def _constant(number, xp):
    # Where floatx is bfloat16, Keras on JAX takes a Python integer for a float32.
    return number if xp is np else ops.convert_to_tensor(number, "int32")


def _seed_words(seed):
    digest = hashlib.sha256(f"{seed}/0".encode()).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "little", signed=True) for i in (0, 4))
