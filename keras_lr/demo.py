"""The main job on real data: choose a rate for a classifier of digits, drive it, explain the run.

    python -m keras_lr demo

Everything is seeded. Back ends add floats in different orders, so their figures differ a little.
"""

import math
import pathlib
import time
from typing import NamedTuple

import keras
import numpy as np

from keras_lr import callbacks, range_test, schedules
from keras_lr.files import write_atomically

BATCH_SIZE = 64
EPOCHS = 20
SEEDS = 3
RANGE_TEST_UPDATES = 100
SPARE_RATE = 0.1  # if the range test finds none
DEFAULT_RATE = 0.01  # of Keras' SGD
CONSTANT_RATES = (DEFAULT_RATE, 0.03, 0.1, 0.3)


class Data(NamedTuple):
    """Images, rows of 64 numbers in [0, 1], and digits: to train, to decide, and to report on."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def load_data(seed=0):
    """Returns scikit-learn's 1,797 digits in three parts: 997, 300 and 500 images."""
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(images))
    images, digits = (images[order] / 16.0).astype("float32"), digits[order]
    test, val = slice(0, 500), slice(500, 800)
    train = slice(800, None)
    return Data(
        *(images[train], digits[train]), *(images[val], digits[val]), *(images[test], digits[test])
    )


def build_model(seed=0):
    """Returns a compiled classifier with two hidden layers, the same weights for the same seed."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        keras.optimizers.SGD(DEFAULT_RATE, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def fit(model, data, epochs, callback_list):
    """Trains a model on the training images; returns the history as a dictionary."""
    return model.fit(
        data.x_train,
        data.y_train,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_data=(data.x_val, data.y_val),
        callbacks=callback_list,
        verbose=0,
    ).history


class Progress(keras.callbacks.Callback):
    """One line every few epochs."""

    def __init__(self, say):
        super().__init__()
        self.say = say

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % 5 == 0:
            self.say(
                f"   epoch {epoch + 1:2}/{EPOCHS}  rate {logs['learning_rate']:.4f}  "
                f"loss {logs['loss']:.4f}  validation loss {logs['val_loss']:.4f}"
            )


class Outcome(NamedTuple):
    """Runs from several seeds: the record of the first, and the accuracy of each."""

    rate: float
    recorder: callbacks.LearningRateRecorder
    planned: schedules.Schedule
    accuracies: list

    def mean_and_error(self, other=None):
        """Returns the mean accuracy and its standard error, or those of the gain over `other`."""
        gains = np.array(self.accuracies) - (0.0 if other is None else np.array(other.accuracies))
        return np.mean(gains), np.std(gains, ddof=1) / math.sqrt(len(gains))


def driven_callbacks(peak):
    """Returns schedule, warmup and plateau, all for one optimizer."""
    return [
        callbacks.FitSchedule(schedules.LinearDecay(peak, "100%")),
        callbacks.Warmup("5%"),
        callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=3),
    ]


def constant_callbacks(rate):
    """Returns a constant rate, to compare with."""
    return [callbacks.FitSchedule(schedules.Constant(rate))]


def train(data, rate, make_callbacks, say=None):
    """Trains from each seed and measures the accuracy on the test images."""
    runs, accuracies = [], []
    for seed in range(SEEDS):
        model, ours = build_model(seed), make_callbacks(rate)
        recorder = callbacks.LearningRateRecorder()
        fit(model, data, EPOCHS, [*ours, recorder, *([Progress(say)] if say and not runs else [])])
        tested = model.evaluate(data.x_test, data.y_test, verbose=0, return_dict=True)
        accuracies.append(tested["accuracy"])
        runs.append((recorder, ours))
    recorder, ours = runs[0]
    planned = math.prod(callback.schedule for callback in ours if callback.schedule is not None)
    return Outcome(rate, recorder, planned, accuracies)


def report(found, driven, constants, test_images):
    """Returns the report as text."""
    best = max(constants, key=lambda outcome: outcome.mean_and_error()[0])
    table = [f"  from {driven.rate:.3g} to 0", *(f"  constant {c.rate:g}" for c in constants)]
    shares = ["{:.1%} ± {:.1%}".format(*o.mean_and_error()) for o in (driven, *constants)]
    lines = [
        "keras_lr demo: scikit-learn's digits, two hidden layers, SGD with momentum 0.9",
        f"Back end: {keras.backend.backend()}, Keras {keras.__version__}",
        "",
        f"Range test, {len(found.losses)} updates: {_suggested(found)}",
        f"Applied rate: {schedules.Tabulated(driven.recorder.learning_rate).describe()}.",
        f"Changes by callbacks: {len(driven.recorder.events) or 'none'}",
        *(f"  {event}" for event in driven.recorder.events),
        f"Test accuracy, {test_images} images, mean ± standard error of {SEEDS} seeds:",
        *(f"{name:18}  {share}" for name, share in zip(table, shares)),
        f"Driven against Keras' default, {DEFAULT_RATE:g}: {_compared(driven, constants[0])}",
        f"Driven against the best constant rate, {best.rate:g}: {_compared(driven, best)}",
    ]
    return "\n".join(lines) + "\n"


def _suggested(found):
    if found.suggestion is None:
        return f"no suggestion. {found.advice} Used instead: {SPARE_RATE:g}."
    return f"train from {found.suggestion:.3g} to 0. {found.advice}"


def _compared(driven, other):
    difference, error = driven.mean_and_error(other)
    clear = abs(difference) > 2 * error
    verdict = "more than twice its error" if clear else "no clear difference"
    return f"{difference:+.1%} ± {error:.1%}, {verdict}."


def draw(found, driven, constants):
    """Returns one figure: how the rate was chosen, what it was, and the results."""
    from matplotlib.figure import Figure

    from keras_lr import plotting

    figure = Figure(figsize=(11, 7.5), layout="constrained")
    (ax_found, ax_rate), (ax_result, ax_loss) = figure.subplots(2, 2)
    found.plot(ax_found)
    ax_found.set_title(f"Choose: a range test, {len(found.losses)} updates")
    plotting.plot_record(driven.recorder, ax_rate, planned=driven.planned, losses=False)
    ax_rate.set_title("Drive: schedule × warmup × plateau")
    for outcomes, name, style in (([driven], "driven to 0", "D"), (constants, "constant", "o--")):
        means, errors = zip(*(outcome.mean_and_error() for outcome in outcomes))
        rates = [outcome.rate for outcome in outcomes]
        ax_result.errorbar(rates, means, errors, fmt=style, capsize=4, label=name)
    ax_result.set(xscale="log", xlabel="learning rate (peak)", ylabel="test accuracy")
    ax_result.set_title(f"Result: test accuracy, mean ± standard error of {SEEDS} seeds")
    plotting.plot_losses(driven.recorder, ax_loss)
    plotting.mark_events(driven.recorder, ax_loss)
    ax_loss.set_yscale("log")
    ax_loss.set_title("Explain: losses, and what the callbacks did")
    for ax in (ax_result, ax_loss):
        ax.grid(True, alpha=0.3)
        ax.legend(fontsize="small")
    return figure


def run(folder="demo", say=print):
    """Runs the whole demo; writes `digits.png` and `report.txt` into `folder`; returns its path."""
    begin = time.perf_counter()
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # TensorFlow prints its messages when the first model is built: before the first line.
    data, model = load_data(), build_model()
    say("1. Choose a rate: a range test, which leaves the model as it was")
    options = {"batch_size": BATCH_SIZE, "num_steps": RANGE_TEST_UPDATES, "verbose": 0}
    found = range_test(model, data.x_train, data.y_train, **options)
    say(f"   {_suggested(found)}")
    peak = found.suggestion or SPARE_RATE
    say(f"2. Drive: from {peak:.3g} to 0 × warmup over 5% × cuts when validation stalls")
    driven = train(data, peak, driven_callbacks, say)
    say("3. Compare with constant rates, Keras' default first")
    constants = []
    for rate in CONSTANT_RATES:
        constants.append(train(data, rate, constant_callbacks))
        say("   {:g}: test accuracy {:.1%} ± {:.1%}".format(rate, *constants[-1].mean_and_error()))
    text = report(found, driven, constants, len(data.y_test))
    write_atomically(folder / "report.txt", text)
    draw(found, driven, constants).savefig(folder / "digits.png", dpi=110)
    say(f"4. Explain\n\n{text}")
    seconds = time.perf_counter() - begin
    say(f"Wrote {folder / 'digits.png'} and {folder / 'report.txt'} in {seconds:.0f} s.")
    return folder
