"""What `bound` costs for a long run: its arithmetic, and with the rates of a schedule.

Run `python tests/benchmarks/bound_cost.py`. The least of several times is shown.
"""

import time

import numpy as np

from keras_lr import bound
from keras_lr.schedules import CosineDecay, LinearToZero

STEPS = 10**6


def least(call, repeats=9):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    cases = {
        "an array": np.linspace(1.0, 1e-6, STEPS),
        "linear": LinearToZero(0.1, STEPS),
        "cosine": CosineDecay(0.1, STEPS),
    }
    print(f"| bound of {STEPS:,} updates | ms |\n|---|---|")
    for name, schedule in cases.items():
        took = least(lambda schedule=schedule: bound(schedule, STEPS))
        print(f"| {name} | {1e3 * took:.0f} |")
