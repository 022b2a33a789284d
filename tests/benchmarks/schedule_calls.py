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


def compiled(schedule):
    """Returns a call of the schedule as a training step runs it, its result waited for."""
    step = keras.ops.convert_to_tensor(500, dtype="int32")
    function = schedule.__call__
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        function = tf.function(lambda t: schedule(t))
    elif keras.config.backend() == "jax":
        import jax

        function = jax.jit(lambda t: schedule(t))
    # PyTorch runs op by op, as Keras has it by default.
    function(step)
    return lambda: np.asarray(function(step))


class ConstantRate(theirs.LearningRateSchedule):
    """The cheapest that can be: one number."""

    def __call__(self, step):
        return keras.ops.cast(step, "float32") * 0.0 + 0.1


def step_table():
    """A whole `fit` varies by more than any schedule costs: only the schedule is timed."""
    print("\n| in a compiled step, µs | constant rate | Keras | ours | ours - Keras |")
    print("|---|---|---|---|---|")
    for name, arguments, options, _ in ROWS:
        our, their = (getattr(m, name)(*arguments, **options) for m in (ours, theirs))
        calls = {"constant": ConstantRate(), "keras": their, "ours": our}
        calls = {label: compiled(schedule) for label, schedule in calls.items()}
        best = interleaved(calls, repeats=40, number=25)
        micro = " | ".join(cell(best[label], 1e6) for label in calls)
        print(f"| {name} {options or ''} | {micro} | {(best['ours'] - best['keras']) * 1e6:+.1f} |")


if __name__ == "__main__":
    print(f"keras {keras.__version__} on {keras.config.backend()}, numpy {np.__version__}\n")
    calls_table()
    step_table()
