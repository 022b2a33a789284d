"""What a call of a schedule costs: ours, Keras' own, and the bare NumPy formula, side by side.

Run `python tests/benchmarks/schedule_calls.py`, with KERAS_BACKEND set for each back end. All
times of a row come from one process and are taken in turns, so that ratios survive a busy machine.
"""

import math
import time
from functools import partial

import keras
import numpy as np
from keras.optimizers import schedules as theirs

from keras_lr import schedules as ours

STEPS = 10**6


def warm_cosine(t):
    return np.where(t < 10, 0.01 * t, 0.05 * (1 + np.cos(math.pi * np.minimum((t - 10) / 1e6, 1))))


def cosine_cycles(t):
    return 0.05 * (1 + np.cos(math.pi * (t % 1000) / 1000))


TABLE = np.array([0.1, 0.05, 0.02, 0.01])
ROWS = [
    ("ExponentialDecay", (0.1, 1e5, 0.9), {}, lambda t: 0.1 * 0.9 ** (t / 1e5)),
    ("InverseTimeDecay", (0.1, 1e5, 0.9), {}, lambda t: 0.1 / (1 + 0.9 * t / 1e5)),
    (
        "PolynomialDecay",
        (0.1, STEPS, 0.01, 2.0),
        {},
        lambda t: (0.1 - 0.01) * (1 - np.minimum(t, 1e6) / 1e6) ** 2.0 + 0.01,
    ),
    (
        "CosineDecay",
        (0.1, STEPS),
        {},
        lambda t: 0.05 * (1 + np.cos(math.pi * np.minimum(t / 1e6, 1))),
    ),
    ("CosineDecay", (0.0, STEPS), {"warmup_target": 0.1, "warmup_steps": 10}, warm_cosine),
    ("CosineDecayRestarts", (0.1, 1000), {"t_mul": 1.0}, cosine_cycles),
    ("CosineDecayRestarts", (0.1, 1000), {}, None),
    (
        "PiecewiseConstantDecay",
        ([10, 1000, 10**5], TABLE.tolist()),
        {},
        lambda t: TABLE[np.searchsorted([10, 1000, 10**5], t)],
    ),
]


def interleaved(calls, repeats, number=1):
    """Returns the least time of each call in seconds, measured in turns; None if it raises."""
    best = dict.fromkeys(calls)
    for _ in range(repeats):
        for name, call in calls.items():
            try:
                start = time.perf_counter()
                for _ in range(number):
                    call()
            except Exception:
                continue
            elapsed = (time.perf_counter() - start) / number
            best[name] = min(elapsed, best[name] or math.inf)
    return best


def cell(seconds, unit):
    return "raises" if seconds is None else f"{seconds * unit:.1f}"


def ratio(a, b):
    return f"{a / b:.2f}" if a and b else "-"


def calls_table():
    steps = np.arange(STEPS, dtype="float64")
    print(
        "| schedule | eager call, µs: ours | Keras | ratio | 10⁶ steps, ms: ours | NumPy | ratio |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, arguments, options, formula in ROWS:
        our, their = (getattr(m, name)(*arguments, **options) for m in (ours, theirs))
        eager = {"ours": partial(our, 500), "keras": partial(their, 500)}
        eager = interleaved(eager, repeats=7, number=20)
        vector = {"ours": partial(our.rates, steps)}
        if formula is not None:
            np.testing.assert_allclose(our.rates(steps), formula(steps), atol=1e-12)
            vector["numpy"] = partial(formula, steps)
        vector = interleaved(vector, repeats=15)
        label = f"{name}{' (warmup)' if 'warmup_steps' in options else ''}"
        label += " (equal cycles)" if options.get("t_mul") == 1.0 else ""
        numpy = vector.get("numpy")
        print(
            f"| {label} | {cell(eager['ours'], 1e6)} | {cell(eager['keras'], 1e6)} "
            f"| {ratio(eager['ours'], eager['keras'])} | {cell(vector['ours'], 1e3)} "
            f"| {cell(numpy, 1e3) if numpy else '-'} | {ratio(vector['ours'], numpy)} |"
        )


def trained(rate, updates, x, y):
    """Returns a call that trains a small model, compiled beforehand, for so many updates."""
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(16), keras.layers.Dense(1)])
    # PyTorch is run as Keras runs it by default, op by op.
    model.compile(keras.optimizers.Adam(rate), "mse")
    model.fit(x, y, batch_size=32, epochs=1, verbose=0)
    return lambda: model.fit(x, y, batch_size=32, epochs=1, verbose=0)


def training_table(updates=100):
    x, y = np.ones((32 * updates, 16), "float32"), np.ones((32 * updates, 1), "float32")
    print("\n| schedule | step, µs: constant rate | constant again | Keras | ours | ours / Keras |")
    print("|---|---|---|---|---|---|")
    for name, arguments, options, _ in ROWS:
        rates = {
            "constant": 0.1,
            "again": 0.1,
            "keras": getattr(theirs, name)(*arguments, **options),
            "ours": getattr(ours, name)(*arguments, **options),
        }
        calls = {label: trained(rate, updates, x, y) for label, rate in rates.items()}
        best = interleaved(calls, 9)
        micro = " | ".join(cell(best[label], 1e6 / updates) for label in rates)
        print(f"| {name} {options or ''} | {micro} | {ratio(best['ours'], best['keras'])} |")


if __name__ == "__main__":
    print(f"keras {keras.__version__} on {keras.config.backend()}, numpy {np.__version__}\n")
    calls_table()
    training_table()
