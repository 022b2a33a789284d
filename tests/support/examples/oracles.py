"""Rates at one step in plain Python: written from the design, not from the code under test.

Exact fractions and integers stand where floats would hide an error.
"""

import hashlib
import math
from fractions import Fraction
from math import cos, pi
from statistics import NormalDist

import keras


def between(start, end, c):
    return start + (end - start) * c


def share(t, duration):
    return min(t / duration, 1.0)


def half_cosine(u):
    return (1 + cos(pi * u)) / 2


def restarts(t, length, t_mul, m_mul):
    """SGDR by walking through the cycles, in exact fractions."""
    left, length, height = Fraction(t), Fraction(length), 1.0
    if t_mul == "1":
        cycle, left = divmod(left, length)
        return m_mul ** int(cycle) * half_cosine(float(left / length))
    while left >= length:
        left, length, height = left - length, length * Fraction(t_mul), height * m_mul
    return height * half_cosine(float(left / length))


def through(points, t, curve=lambda u: u):
    """The way from point to point that contains t, held outside."""
    before = [point for point in points if point[0] <= t]
    after = [point for point in points if point[0] > t]
    if not before or not after:
        return before[-1][1] if before else after[0][1]
    (begin, start), (end, stop) = before[-1], after[0]
    return between(start, stop, curve((t - begin) / (end - begin)))


def cosine_climb(u):
    return 1 - half_cosine(u)


def repeated(t, period, growth, amplitude, schedule):
    """A schedule started again, by walking through cycles that begin at rounded exact sums."""
    total, length, begin, height = Fraction(0), Fraction(period), 0, 1.0
    if growth == "1":
        cycle, since = divmod(t, period)
        return amplitude**cycle * schedule(since)
    while True:
        total += length
        end = math.floor(total + Fraction(1, 2))
        if t < end:
            return height * schedule((t - begin) * period / (end - begin))
        begin, length, height = end, length * Fraction(growth), height * amplitude


def smith_triangle(t, step_size):
    """Smith's formula for his cycles: 0 at their ends, 1 in their middle; and their number."""
    cycle = math.floor(1 + Fraction(t, 2 * step_size))
    x = abs(Fraction(t, step_size) - 2 * cycle + 1)
    return float(max(Fraction(0), 1 - x)), cycle


def slanted(t, total, cut_share, ratio):
    """ULMFiT's formula."""
    cut = math.floor(total * cut_share)
    p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_share - 1))
    return 0.1 * (1 + max(p, 0.0) * (ratio - 1)) / ratio


def polynomial_cycle(t, duration):
    end = duration * max(math.ceil(t / duration), 1)
    return between(0.01, 0.1, (1 - t / end) ** 2)


def pieces(t, boundaries, values, inclusive):
    """The value of the piece that t is in; with `inclusive` a boundary is still the old piece."""
    passed = [t > b if inclusive else t >= b for b in boundaries]
    return values[sum(passed)]


def warmed_cosine(t):
    return between(0.01, 0.1, t / 20) if t < 20 else 0.1 * half_cosine(share(t - 20, 80))


def warmup(t, steps, start, schedule, curve):
    """A climb whose first update is not wasted: (t + 1) / steps of the way."""
    if t >= steps:
        return schedule(t - steps)
    return between(start, schedule(0), curve((t + 1) / steps))


def overlaid_warmup(t):
    return between(0.0, linear(t), min((t + 1) / 20, 1))


def linear(t):
    return 0.1 * (1 - share(t, 100))


def draw(seed, index):
    """The 24-bit draw of the random schedules in unsigned integers: two rounds of lowbias32."""
    digest = hashlib.sha256(f"{seed}/0".encode()).digest()
    first, second = (int.from_bytes(digest[i : i + 4], "little") for i in (0, 4))
    return (mix(mix(index ^ first) + second) >> 8) / 2**24


def truncated_normal(u):
    """The quantile of a standard normal cut off at ±2."""
    normal = NormalDist()
    return normal.inv_cdf(between(normal.cdf(-2), normal.cdf(2), u))


def mix(x):
    x &= 0xFFFFFFFF
    x = (x ^ x >> 16) * 0x7FEB352D & 0xFFFFFFFF
    x = (x ^ x >> 15) * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


@keras.saving.register_keras_serializable("keras_lr_examples")
def half_life(t):
    return 0.5 ** (t / 30)


def chain(t):
    """Warm up, hold, then anneal below a ceiling, jittered: most compositions in one."""
    plain = min((t + 1) / 10, 1) * 0.1 if t < 40 else 0.1 * (1 - math.sqrt(share(t - 40, 60)))
    return min(plain, 0.09) * (1 + 0.1 * (2 * draw(7, t // 5) - 1))


def keras_sum(t):
    """In epochs of 25 updates: halved every epoch, plus a constant."""
    return 0.1 * 0.5 ** (t / 25) + 0.01
