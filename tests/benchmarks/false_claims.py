"""How often a comparison of a schedule with itself claims a difference: at most 5 % of the time.

Run `python tests/benchmarks/false_claims.py`. The two arms are one schedule under two names, on
disjoint seeds, so that only chance tells them apart. Each repetition is a whole comparison: rates
chosen on one set of seeds, reported on fresh ones, by `keras_lr.comparison`. What is trained is
least squares by SGD in NumPy, whose risk is known without a test. `--arms` compares more at once.
"""

import argparse
import math

import numpy as np

from keras_lr.comparison import protocol
from keras_lr.comparison.protocol import Outcome
from keras_lr.comparison.result import differences
from keras_lr.comparison.statistics import t_quantile

STEPS, DIMENSION, RATES = 100, 10, [0.02, 0.04, 0.08]


def train(peaks, seeds):
    """Returns the risk of one run for each peak and seed, all side by side."""
    draws = [np.random.default_rng(seed) for seed in seeds]
    x = np.stack([rng.normal(size=(STEPS, DIMENSION)) for rng in draws])
    noise = np.stack([rng.normal(size=STEPS) for rng in draws])
    off = np.stack([rng.normal(size=DIMENSION) for rng in draws])
    for t in range(STEPS):
        rate = np.asarray(peaks) * (1.0 - t / STEPS)
        error = np.sum(off * x[:, t], axis=1) - noise[:, t]
        off = off - (rate * error)[:, None] * x[:, t]
    return 0.5 * np.sum(off**2, axis=1)


def measure(repetition):
    def outcomes(tasks):
        seeds = [[repetition, ord(task.name), task.seed] for task in tasks]
        found = train([task.rate for task in tasks], seeds)
        return {task: Outcome(float(risk), {}) for task, risk in zip(tasks, found)}

    return outcomes


class Named:
    def __init__(self, name):
        self.name = name


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--arms", type=int, default=2)
    options = parser.parse_args()
    names = [chr(ord("a") + i) for i in range(options.arms)]
    claimed, by_two_errors = 0, 0
    for repetition in range(options.repetitions):
        runs = measure(repetition)
        grids = dict.fromkeys(names, RATES)
        choices = protocol.choose(grids, range(options.seeds), runs)
        fresh = range(options.seeds, 2 * options.seeds)
        found = differences([*map(Named, names)], protocol.report(choices, fresh, runs), False)
        claimed += any(difference.is_claimed for difference in found)
        by_two_errors += any(abs(d.difference) > 2.0 * d.error for d in found)
    share, error = claimed / options.repetitions, 0.05 * 0.95 / options.repetitions
    quantile = t_quantile(0.95, options.seeds - 1)
    print(f"{options.arms} arms, {options.seeds} seeds, t quantile {quantile:.3f}")
    print(f"claimed in {share:.1%} of {options.repetitions} (5 % ± {math.sqrt(error):.1%})")
    print(f"by two standard errors without correction: {by_two_errors / options.repetitions:.1%}")


if __name__ == "__main__":
    main()
