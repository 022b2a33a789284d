"""Random compositions, each with its rate in plain Python, built side by side.

A composition is a pair of a schedule and a function of the step; the functions know only `math` and
each other, so that what they say is independent of the code under test.
"""

import functools
import math
import operator
from math import cos, pi

from support.examples.oracles import between, cosine_climb, draw, share, through

from keras_lr import schedules as s

LAST = 600


def composition(rng, depth):
    """Returns a pair of a random schedule of at most this depth, and its oracle."""
    build = rng.choice(LEAVES if depth <= 1 else COMPOSITIONS)
    return build(rng) if depth <= 1 else build(rng, lambda: composition(rng, depth - 1))


def rate(rng):
    return rng.choice([0.0, 0.001, 0.01, 0.05, 0.1, 0.3])


def positive(rng):
    return rng.choice([0.001, 0.01, 0.05, 0.1, 0.3])


def length(rng):
    return rng.randint(1, 300)


# Leaves


def constant(rng):
    value = rate(rng)
    return s.Constant(value), lambda t: value


def linear(rng):
    start, steps, end = positive(rng), length(rng), rate(rng)
    return s.LinearDecay(start, steps, end), lambda t: between(start, end, share(t, steps))


def root(rng):
    start, steps, end = positive(rng), length(rng), rate(rng)
    schedule = s.SqrtDecay(start, steps, end)
    return schedule, lambda t: between(start, end, math.sqrt(share(t, steps)))


def cosine(rng):
    start, steps = positive(rng), length(rng)
    return s.CosineDecay(start, steps), lambda t: start * (1 + cos(pi * share(t, steps))) / 2


def stairs(rng):
    start, steps, factor = positive(rng), length(rng), rng.choice([0.5, 0.9, 0.99])
    return s.StepDecay(start, steps, factor), lambda t: start * factor ** (t // steps)


def exponential(rng):
    start, steps, factor = positive(rng), length(rng), rng.choice([0.5, 0.9, 0.99])
    return s.ExponentialDecay(start, steps, factor), lambda t: start * factor ** (t / steps)


def hyperbola(rng):
    start, steps = positive(rng), length(rng)
    return s.InverseSquareRootDecay(start, steps), lambda t: start / math.sqrt(1 + t / steps)


def points(rng):
    boundaries = sorted(rng.sample(range(300), rng.randint(2, 4)))
    values = [rate(rng) for _ in boundaries]
    pairs = list(zip(boundaries, values))
    return s.PiecewiseCosine(boundaries, values), lambda t: through(pairs, t, cosine_climb)


def triangles(rng):
    low, high, up, down = rate(rng), rate(rng), rng.randint(1, 60), rng.randint(1, 60)

    def oracle(t):
        phase = t % (up + down)
        return between(low, high, phase / up if phase < up else (up + down - phase) / down)

    return s.CyclicalLearningRate(low, high, up, down), oracle


def noise(rng):
    every, seed = rng.randint(1, 9), rng.randint(0, 99)
    schedule = s.RandomUniform(0.01, 0.1, every, seed)
    return schedule, lambda t: between(0.01, 0.1, draw(seed, int(t // every)))


LEAVES = [constant, linear, root, cosine, stairs, exponential, hyperbola, points, triangles, noise]


# Compositions


def sequence(rng, part):
    (first, f), (second, g), at = part(), part(), length(rng)
    schedule = s.Sequential([first, second], [at])
    return schedule, lambda t: f(t) if t < at else g(t - at)


def warmup(rng, part):
    (schedule, f), steps, start = part(), rng.randint(1, 100), rate(rng)
    overlay, shape = rng.random() < 0.5, rng.choice(["linear", "cosine"])
    curve = cosine_climb if shape == "cosine" else float

    def oracle(t):
        peak = f(t if overlay else max(t - steps, 0))
        return peak if t >= steps - 1 else between(start, peak, curve((t + 1) / steps))

    return s.Warmup(schedule, steps, start, shape, overlay), oracle


def combined(operation, combine):
    def build(rng, part):
        (first, f), (second, g), number = part(), part(), rng.choice([0.01, 0.5, 1.0])
        schedule = functools.reduce(operation, (first, second, number))
        return schedule, lambda t: combine(combine(f(t), g(t)), number)

    return build


def difference(rng, part):
    (first, f), (second, g) = part(), part()
    return first - second, lambda t: f(t) - g(t)


def clipped(rng, part):
    (schedule, f), low, high = part(), rng.choice([0.0, 0.005]), rng.choice([0.02, 0.2])
    return schedule.clip(low, high), lambda t: min(max(f(t), low), high)


def shifted(rng, part):
    (schedule, f), steps = part(), rng.randint(0, 200)
    return schedule.shift(steps), lambda t: f(max(t - steps, 0))


def stretched(rng, part):
    (schedule, f), factor = part(), rng.randint(1, 5)
    return schedule.stretch(factor), lambda t: f(t / factor)


def held(rng, part):
    (schedule, f), every = part(), rng.randint(1, 50)
    return schedule.hold(every), lambda t: f(t // every * every)


def repeated(rng, part):
    (schedule, f), period, height = part(), length(rng), rng.choice([1.0, 0.8])

    def oracle(t):
        cycle = t // period
        return f(t - cycle * period) * height**cycle

    return schedule.repeat(period, amplitude_multiplier=height), oracle


def jittered(rng, part):
    (schedule, f), every, seed = part(), rng.randint(1, 9), rng.randint(0, 99)
    oracle = lambda t: f(t) * (1 + 0.2 * (2 * draw(seed, int(t // every)) - 1))  # noqa: E731
    return schedule.jitter(0.2, every=every, seed=seed), oracle


COMPOSITIONS = [
    sequence,
    warmup,
    combined(operator.add, operator.add),
    combined(operator.mul, operator.mul),
    combined(s.maximum, max),
    combined(s.minimum, min),
    difference,
    clipped,
    shifted,
    stretched,
    held,
    repeated,
    jittered,
]
