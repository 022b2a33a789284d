"""What the search of `AutoLearningRate` costs, beside its share of the updates.

Run `python tests/benchmarks/search_cost.py`, with KERAS_BACKEND set for each back end. In one
process fits of 2,000 updates search with a small budget and a large one, in turns. The difference
is what updates of the search cost, as a ratio to those of the fit itself; the rest of the small
search is what it costs once: compilation and evaluations, in seconds.
"""

import time

import keras
import numpy as np
from sklearn.datasets import load_digits

from keras_lr.callbacks import AutoLearningRate

EPOCHS, BATCH, ROWS, ROUNDS = 40, 28, 1400, 5
SHARES = 0.1, 0.5
UPDATES = EPOCHS * ROWS // BATCH


class Clock(keras.callbacks.Callback):
    """Takes the CPU time of epochs; the first begins with the search."""

    def on_train_begin(self, logs=None):
        self.times = []

    def on_epoch_begin(self, epoch, logs=None):
        self.times.append(time.process_time())


def seconds(x, y, share):
    """Returns the CPU time of the search, and that of one update of the fit."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((64,)), *(keras.layers.Dense(64, "relu") for _ in range(2))]
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before, after = Clock(), Clock()
    auto = AutoLearningRate(budget=share, verbose=0)
    held = x[ROWS:], y[ROWS:]
    told = {"batch_size": BATCH, "validation_data": held, "verbose": 0}
    model.fit(x[:ROWS], y[:ROWS], epochs=EPOCHS, callbacks=[before, auto, after], **told)
    # The first epoch compiles.
    epochs = np.diff(after.times)[1:]
    return after.times[0] - before.times[0], float(np.median(epochs)) / (ROWS // BATCH)


if __name__ == "__main__":
    print(f"keras {keras.__version__} on {keras.config.backend()}")
    x, y = load_digits(return_X_y=True)
    x = (x / 16.0).astype("float32")
    ratios, once = [], []
    for number in range(ROUNDS + 1):
        (short, each), (long, again) = (seconds(x, y, share) for share in SHARES)
        step = (long - short) / (UPDATES * (SHARES[1] - SHARES[0]))
        if number:
            ratios.append(step / (0.5 * (each + again)))
            once.append(short - step * UPDATES * SHARES[0])
            print(f"an update of the search / of the fit: {ratios[-1]:.2f}; once: {once[-1]:.2f} s")
    error = np.std(ratios, ddof=1) / np.sqrt(ROUNDS)
    print(f"ratio {np.mean(ratios):.3f} ± {error:.3f}; once {np.mean(once):.2f} s")
