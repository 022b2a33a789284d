"""What callbacks cost per training step, what one change of the rate costs, and what a snapshot.

Run `python tests/benchmarks/callback_cost.py`, with KERAS_BACKEND set for each back end. The
variants take turns in one process, so that ratios survive a busy machine.
"""

import time

import keras
import numpy as np

from keras_lr import callbacks, schedules
from keras_lr.keras_private.copies import Snapshot

STEPS, ROUNDS = 300, 7
X, Y = np.ones((32 * STEPS, 16), "float32"), np.ones((32 * STEPS, 1), "float32")


def build(rate):
    model = keras.Sequential(
        [keras.Input((16,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(rate), "mse")
    return model


class Clock(keras.callbacks.Callback):
    """Times the second epoch: the first one compiles."""

    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self.begin


def step_time(rate, make_callbacks):
    clock = Clock()
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


def main():
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
