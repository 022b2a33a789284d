"""The main job on real data: one callback chooses, drives and reacts; then it is compared.

    python -m keras_lr demo

Everything is seeded. Back ends add floats in different orders, so their figures differ a little.
"""

import pathlib
import time
from typing import NamedTuple

import keras
import numpy as np

from keras_lr import callbacks, schedules
from keras_lr.comparison import compare
from keras_lr.explanation import diagnose
from keras_lr.files import write_atomically

BATCH_SIZE = 64
EPOCHS = 20
SEEDS = 3
DEFAULT_RATE = 0.01  # of Keras' SGD
# The search for the best constant rate begins here, and ends when rates on both sides are worse.
RATES = (0.01, 0.02, 0.04)
OURS, DEFAULT = "AutoLearningRate()", f"Keras' default ({DEFAULT_RATE:g})"


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


class Run(NamedTuple):
    """A run from the first seed: its record, and the callback that drove it."""

    recorder: callbacks.DiagnoseLearningRate
    driver: callbacks.RateCallback


def train(data, driver, say=None):
    """Trains from the first seed with a callback."""
    recorder = callbacks.DiagnoseLearningRate(verbose=0, early_warning=False)
    fit(build_model(), data, EPOCHS, [driver, recorder, *([Progress(say)] if say else [])])
    return Run(recorder, driver)


def experiment(data, verbose=1):
    """Returns how the callback, Keras' default and the best constant rate do on fresh seeds."""
    parts = (data.x_train, data.y_train), (data.x_val, data.y_val), (data.x_test, data.y_test)
    contenders = {OURS: callbacks.AutoLearningRate(verbose=0), DEFAULT: at_the_default()}
    length = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "seeds": SEEDS}
    return compare(build_model, parts, contenders, **length, rates=RATES, verbose=verbose)


def at_the_default():
    """Returns a callback that drives Keras' default rate."""
    return callbacks.FitSchedule(schedules.Constant(DEFAULT_RATE))


def diagnoses(auto, default):
    """Returns what is said of both runs, by their curves alone."""
    return {name: diagnose(run.recorder) for name, run in ((OURS, auto), (DEFAULT, default))}


def explain(auto, default):
    """Returns the diagnoses as text."""
    lines = []
    for name, found in diagnoses(auto, default).items():
        lines += [f"Diagnosis of {name}", *(f"  {line}" for line in str(found).splitlines()), ""]
    return "\n".join(lines)


def report(auto, comparison, test_images):
    """Returns the report as text."""
    found = auto.driver.found
    runs = f" and {len(found.evidence)} short runs" if found.evidence else ""
    lines = [
        "keras_lr demo: scikit-learn's digits, two hidden layers, SGD with momentum 0.9",
        f"Back end: {keras.backend.backend()}, Keras {keras.__version__}",
        "",
        f"Chosen by a sweep of {len(found.losses)} updates{runs}: a peak of "
        f"{auto.driver.peak:.3g}. {found.advice}",
        f"Applied rate: {schedules.Tabulated(auto.recorder.learning_rate).describe()}.",
        f"Changes during the run: {len(auto.recorder.events) or 'none'}",
        *(f"  {event}" for event in auto.recorder.events),
        "",
        f"Loss on {test_images} test images; the constant rate is the best of "
        f"{len(rates_tried(comparison))} that were tried:",
        comparison.report(),
    ]
    return "\n".join(lines) + "\n"


def rates_tried(comparison):
    """Returns the constant rates from which the best was chosen."""
    (constant,) = (row for row in comparison.contestants if row.curve)
    return [point.rate for point in constant.curve]


def draw(auto, default, comparison):
    """Returns one figure: how the rate was chosen, what it was, and the results."""
    from matplotlib.figure import Figure

    from keras_lr import plotting

    figure = Figure(figsize=(16, 7.5), layout="constrained")
    (ax_found, ax_rate, ax_loss), (ax_result, *explained) = figure.subplots(2, 3)
    auto.driver.found.plot(ax_found)
    ax_found.set_title(f"Choose: {len(auto.driver.found.losses)} updates at rising rates")
    plotting.plot_record(auto.recorder, ax_rate, losses=False)
    ax_rate.set_title("Drive: warmup, then to zero; lower when validation stalls")
    plotting.plot_losses(auto.recorder, ax_loss)
    plotting.mark_events(auto.recorder, ax_loss)
    ax_loss.set_yscale("log")
    ax_loss.set_title("Drive: losses, and what the callback did")
    ax_loss.grid(True, alpha=0.3)
    ax_loss.legend(fontsize="small")
    comparison.plot(ax_result)
    ax_result.set_title(f"Compare: {SEEDS} fresh seeds, mean ± standard error")
    for ax, (name, found) in zip(explained, diagnoses(auto, default).items()):
        found.plot(ax)
        ax.set_title(f"Explain: {name}\n{ax.get_title()}")
    return figure


def run(folder="demo", say=print):
    """Runs the whole demo; writes `digits.png` and `report.txt` into `folder`; returns its path."""
    begin = time.perf_counter()
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # TensorFlow prints its messages when the first model is built: before the first line.
    data, _ = load_data(), build_model()
    say("1. Train with AutoLearningRate(): it chooses a rate, drives it, and reacts")
    auto = train(data, callbacks.AutoLearningRate(verbose=0), say)
    say(f"   the peak that it chose: {auto.driver.peak:.3g}")
    say("2. Compare with Keras' default and the best constant rate, each from fresh seeds")
    comparison = experiment(data)
    default = train(data, at_the_default())
    text = report(auto, comparison, len(data.y_test))
    draw(auto, default, comparison).savefig(folder / "digits.png", dpi=110)
    say(f"3. The result\n\n{text}")
    explained = explain(auto, default)
    say(f"4. Explain: was the rate right, by the curves of the first seed alone?\n\n{explained}")
    write_atomically(folder / "report.txt", f"{text}\n{explained}")
    seconds = time.perf_counter() - begin
    say(f"Wrote {folder / 'digits.png'} and {folder / 'report.txt'} in {seconds:.0f} s.")
    return folder
