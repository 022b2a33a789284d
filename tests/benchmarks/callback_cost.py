"""What callbacks cost per training step, what one change of the rate costs, and what a snapshot.

Run `python tests/benchmarks/callback_cost.py`, with KERAS_BACKEND set for each back end. The
variants take turns in one process, so that ratios survive a busy machine. `--paired` measures only
the ratio of CPU time to that of a plain fit, in pairs of runs, with its 95 % interval; `--cut` what
a cut costs for a model of ten million weights; `--fits` what a second fit costs.
"""

import sys
import time

import keras
import numpy as np

from keras_lr import callbacks, schedules
from keras_lr.keras_private.copies import Snapshot

STEPS, ROUNDS = 300, 7
# Student's t of 15 pairs at 95 %.
PAIRS, QUANTILE = 15, 2.145
# How often the two of a pair take turns: what else the machine does comes in bursts.
TURNS = 3
X, Y = np.ones((32 * STEPS, 16), "float32"), np.ones((32 * STEPS, 1), "float32")


def build(rate):
    model = keras.Sequential(
        [keras.Input((16,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(rate), "mse")
    return model


class Clock(keras.callbacks.Callback):
    """Times the second epoch: the first one compiles."""

    def __init__(self, now=time.perf_counter):
        super().__init__()
        self.now = now

    def on_epoch_begin(self, epoch, logs=None):
        self.begin = self.now()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = self.now() - self.begin


def step_time(rate, make_callbacks, now=time.perf_counter):
    clock = Clock(now)
    build(rate).fit(X, Y, epochs=2, verbose=0, callbacks=[clock, *make_callbacks()])
    return clock.seconds / STEPS


VARIANTS = {
    "float rate, no callback": (0.001, list),
    "the same again": (0.001, list),
    "LearningRateRecorder": (0.001, lambda: [callbacks.LearningRateRecorder()]),
    "ReduceLROnPlateau": (0.001, lambda: [callbacks.ReduceLROnPlateau("loss")]),
    "RecoverFromDivergence": (0.001, lambda: [callbacks.RecoverFromDivergence()]),
    "RecoverFromDivergence(every=10)": (
        0.001,
        lambda: [callbacks.RecoverFromDivergence(every=10)],
    ),
    "schedule, no callback": (schedules.LinearDecay(0.001, 600), list),
    "schedule, ReduceLROnPlateau": (
        schedules.LinearDecay(0.001, 600),
        lambda: [callbacks.ReduceLROnPlateau("loss")],
    ),
    "FitSchedule, Warmup, plateau, jitter, recorder": (
        0.001,
        lambda: [
            callbacks.FitSchedule(schedules.LinearDecay(0.001, "100%")),
            callbacks.Warmup("5%"),
            callbacks.ReduceLROnPlateau("loss"),
            callbacks.RandomJitter(0.1),
            callbacks.LearningRateRecorder(),
        ],
    ),
}


def change_time(rate):
    """Returns the time of the first step after a change, less that of the one before it."""
    times = []

    class Times(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.begin = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            times.append(time.perf_counter() - self.begin)

    cut = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=0, mode="max", min_delta=1e9)
    build(rate).fit(X[:32], Y[:32], epochs=6, verbose=0, callbacks=[Times(), cut])
    plain = []
    times, changed = plain, times
    build(rate).fit(X[:32], Y[:32], epochs=6, verbose=0, callbacks=[Times()])
    return np.median(changed[2:]) - np.median(plain[2:])


def snapshot_time():
    """Returns the seconds of CPU to take a snapshot of a million weights under Adam."""
    model = keras.Sequential([keras.Input((999,)), keras.layers.Dense(1000), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((2, 999)), np.ones((2, 1)), verbose=0)
    times = []
    for _ in range(20):
        begin = time.process_time()
        Snapshot(model, with_optimizer=True)
        times.append(time.process_time() - begin)
    return np.median(times)


def paired_ratios(names):
    """Returns by variant the ratio of its CPU time to a plain fit's, and the ends of its interval.

    In each pair both take turns, in the other order every second time.
    """
    plain = VARIANTS["float rate, no callback"]
    logs = {name: [] for name in names}
    for round_ in range(PAIRS):
        for name in names:
            seconds = np.zeros(2)
            for turn in range(TURNS):
                order = [0, 1] if (round_ + turn) % 2 else [1, 0]
                for which in order:
                    variant = (VARIANTS[name], plain)[which]
                    seconds[which] += step_time(*variant, time.process_time)
            logs[name].append(np.log(seconds[0] / seconds[1]))
    for name, found in logs.items():
        half = QUANTILE * np.std(found, ddof=1) / np.sqrt(PAIRS)
        yield name, *np.exp(np.mean(found) + np.array([0.0, -half, half]))


def cut_time(width=1571, layers=4):
    """Returns the seconds of an epoch of one batch with a cut before it, and of one without."""
    hidden = [keras.layers.Dense(width, activation="relu") for _ in range(layers)]
    model = keras.Sequential([keras.Input((width,)), *hidden, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(schedules.Constant(1e-4)), "mse")
    x, y = np.ones((8, width), "float32"), np.ones((8, 1), "float32")

    def median(*used):
        times = []
        clock = Clock()
        note = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: times.append(clock.seconds)
        )
        model.fit(x, y, epochs=8, verbose=0, callbacks=[clock, note, *used])
        return np.median(times[2:])

    cut = callbacks.ReduceLROnPlateau("loss", factor=0.9, patience=0, mode="max", min_delta=1e9)
    return median(cut), median()


def fit_times(count=20):
    """Returns the median CPU seconds of a fit of the same small model: plain, and with a warmup."""
    model = build(0.001)
    times = {"plain": [], "Warmup": []}
    for _ in range(count):
        for name, used in (("plain", []), ("Warmup", [callbacks.Warmup(4)])):
            begin = time.process_time()
            model.fit(X[:32], Y[:32], verbose=0, callbacks=used)
            times[name].append(time.process_time() - begin)
    return {name: np.median(found[5:]) for name, found in times.items()}


def main():
    if "--paired" in sys.argv:
        print("| CPU time of a step, to a plain fit's | ratio | 95 % interval |\n|---|---|---|")
        for name, ratio, low, high in paired_ratios(list(VARIANTS)[-3:]):
            print(f"| {name} | {ratio:.3f} | {low:.3f} to {high:.3f} |", flush=True)
    if "--cut" in sys.argv:
        with_cut, without = cut_time()
        print(
            f"an epoch of one batch, ten million weights: {without:.3f} s, "
            f"with a cut {with_cut:.3f} s"
        )
    if "--fits" in sys.argv:
        times = fit_times()
        print(
            ", ".join(f"a fit, {name}: {1e3 * seconds:.1f} ms" for name, seconds in times.items())
        )
    if len(sys.argv) == 1:
        table()


def table():
    print(f"keras {keras.__version__} on {keras.backend.backend()}\n")
    seconds = {name: [] for name in VARIANTS}
    for _ in range(ROUNDS):
        for name, (rate, make_callbacks) in VARIANTS.items():
            seconds[name].append(step_time(rate, make_callbacks))
    base = np.median(seconds["float rate, no callback"])
    print("| per step | µs | ratio |\n|---|---|---|")
    for name, taken in seconds.items():
        print(f"| {name} | {1e6 * np.median(taken):.0f} | {np.median(taken) / base:.2f} |")
    print("\n| one change of the rate | ms |\n|---|---|")
    for name, rate in (("float-built", 0.001), ("schedule-built", schedules.Constant(0.001))):
        print(f"| {name} | {1e3 * change_time(rate):.0f} |")
    print(f"\none snapshot of a million weights: {1e3 * snapshot_time():.0f} ms of CPU")


if __name__ == "__main__":
    main()
