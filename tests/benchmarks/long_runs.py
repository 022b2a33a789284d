"""What an epoch costs after many: nothing that a callback keeps may grow with the epochs behind.

Run `python tests/benchmarks/long_runs.py [EPOCHS]`, with KERAS_BACKEND set. A callback's cost at
epoch 100 and at the last one are medians of the CPU time of a hundred epochs each, over those of
the same fit without callbacks at that epoch; what is printed last is their ratio.
"""

import os
import sys
import tempfile
import time

import keras
import numpy as np

from keras_lr import callbacks

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
X = np.ones((8, 1), "float32")


class Clock(keras.callbacks.Callback):
    """Notes when each epoch ends."""

    def on_train_begin(self, logs=None):
        self.times = []

    def on_epoch_end(self, epoch, logs=None):
        self.times.append(time.process_time())

    def at(self, epoch):
        """Returns the median cost of the hundred epochs around one, in milliseconds."""
        return 1e3 * float(np.median(np.diff(self.times)[max(epoch - 50, 1) : epoch + 50]))


def changing(**options):
    return callbacks.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch), **options)


def variants(folder):
    """Returns the callbacks of each fit, by name."""
    one, two = (os.path.join(folder, f"{name}.json") for name in ("plateau", "new rates"))
    return {
        "no callback": lambda: [],
        "plateau, state file": lambda: [callbacks.ReduceLROnPlateau("loss", state_path=one)],
        "a new rate every epoch": lambda: [changing()],
        "the same, recorded": lambda: [changing(), callbacks.LearningRateRecorder()],
        "the same, state file": lambda: [changing(state_path=two)],
    }


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, make in variants(folder).items():
            model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
            model.compile(keras.optimizers.SGD(0.01), "mse")
            clock = Clock()
            model.fit(X, X, 8, EPOCHS, verbose=0, callbacks=[*make(), clock])
            early, late = clock.at(100), clock.at(EPOCHS - 51)
            if name == "no callback":
                plain = early, late
            ratio = (late / plain[1]) / (early / plain[0])
            print(f"{name:26s} {early:7.2f} ms at 100, {late:7.2f} ms at the end: {ratio:5.2f}")
        for path in sorted(os.listdir(folder)):
            size = os.path.getsize(os.path.join(folder, path))
            print(f"{path}: {size / EPOCHS:.0f} bytes per epoch")


if __name__ == "__main__":
    main()
