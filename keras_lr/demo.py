"""The main job on real data: one callback chooses, drives and reacts; a recorder explains the run.

    python -m keras_lr demo

Everything is seeded. Back ends add floats in different orders, so their figures differ a little.
"""

import math
import pathlib
import time
from typing import NamedTuple

import keras
import numpy as np

from keras_lr import callbacks, schedules
from keras_lr.explanation import diagnose
from keras_lr.files import write_atomically

BATCH_SIZE = 64
EPOCHS = 20
SEEDS = 3
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
    driver: callbacks.RateCallback
    losses: list
    accuracies: list

    def mean_and_error(self, other=None):
        """Returns mean and standard error of the test loss, or of what it is above `other`'s."""
        excess = np.array(self.losses) - (0.0 if other is None else np.array(other.losses))
        return np.mean(excess), np.std(excess, ddof=1) / math.sqrt(len(excess))

    def __str__(self):
        mean, error = self.mean_and_error()
        return f"{mean:.3f} ± {error:.3f}, accuracy {np.mean(self.accuracies):.1%}"


def train(data, make_callback, say=None):
    """Trains from each seed with one callback and measures loss and accuracy on the test images."""
    runs, losses, accuracies = [], [], []
    for seed in range(SEEDS):
        model, driver = build_model(seed), make_callback()
        recorder = callbacks.DiagnoseLearningRate(verbose=0, early_warning=False)
        shown = [Progress(say)] if say and not runs else []
        fit(model, data, EPOCHS, [driver, recorder, *shown])
        tested = model.evaluate(data.x_test, data.y_test, verbose=0, return_dict=True)
        losses.append(tested["loss"])
        accuracies.append(tested["accuracy"])
        runs.append((recorder, driver))
    recorder, driver = runs[0]
    rate = float(np.nanmax(recorder.learning_rate))
    return Outcome(rate, recorder, driver, losses, accuracies)


def explain(auto, constants):
    """Returns the diagnoses of the first seed's runs, as text."""
    lines = []
    for name, found in diagnoses(auto, constants).items():
        lines += [
            f"Diagnosis of {name}",
            *(f"  {line}" for line in found.report().splitlines()),
            "",
        ]
    return "\n".join(lines)


def diagnoses(auto, constants):
    """Returns what is said, by its curves alone, of a run of the callback and of the worst rate."""
    worst = max(constants, key=lambda outcome: outcome.mean_and_error()[0])
    runs = {"AutoLearningRate()": auto, f"constant {worst.rate:g}": worst}
    return {name: diagnose(outcome.recorder) for name, outcome in runs.items()}


def report(auto, constants, test_images):
    """Returns the report as text."""
    found = auto.driver.found
    best = min(constants, key=lambda outcome: outcome.mean_and_error()[0])
    table = ["  AutoLearningRate()", *(f"  constant {c.rate:g}" for c in constants)]
    lines = [
        "keras_lr demo: scikit-learn's digits, two hidden layers, SGD with momentum 0.9",
        f"Back end: {keras.backend.backend()}, Keras {keras.__version__}",
        "",
        f"Chosen by a sweep of {len(found.losses)} updates and {len(found.evidence)} short runs: a "
        f"peak of {auto.driver.peak:.3g}. {found.advice}",
        f"Applied rate: {schedules.Tabulated(auto.recorder.learning_rate).describe()}.",
        f"Changes during the run: {len(auto.recorder.events) or 'none'}",
        *(f"  {event}" for event in auto.recorder.events),
        f"Loss on {test_images} test images, mean ± standard error of {SEEDS} seeds:",
        *(f"{name:20}  {outcome}" for name, outcome in zip(table, (auto, *constants))),
        f"Against Keras' default, {DEFAULT_RATE:g}: {_compared(auto, constants[0])}",
        f"Against the best constant rate, {best.rate:g}: {_compared(auto, best)}",
    ]
    return "\n".join(lines) + "\n"


def _compared(auto, other):
    difference, error = auto.mean_and_error(other)
    clear = abs(difference) > 2 * error
    verdict = "more than twice its error" if clear else "no clear difference"
    return f"{difference:+.3f} ± {error:.3f}, {verdict}."


def draw(auto, constants):
    """Returns one figure: how the rate was chosen, what it was, and the results."""
    from matplotlib.figure import Figure

    from keras_lr import plotting

    figure = Figure(figsize=(16, 7.5), layout="constrained")
    (ax_found, ax_rate, ax_loss), (ax_result, *explained) = figure.subplots(2, 3)
    auto.driver.found.plot(ax_found)
    ax_found.set_title(f"Choose: {len(auto.driver.found.losses)} updates at rising rates")
    plotting.plot_record(auto.recorder, ax_rate, losses=False)
    ax_rate.set_title("Drive: warmup, then to zero; lower when validation stalls")
    chosen = [([auto], "AutoLearningRate()", "D"), (constants, "constant", "o--")]
    for outcomes, name, style in chosen:
        means, errors = zip(*(outcome.mean_and_error() for outcome in outcomes))
        rates = [outcome.rate for outcome in outcomes]
        ax_result.errorbar(rates, means, errors, fmt=style, capsize=4, label=name)
    ax_result.set(xscale="log", xlabel="learning rate (peak)", ylabel="test loss")
    ax_result.set_title(f"Result: test loss, mean ± standard error of {SEEDS} seeds")
    plotting.plot_losses(auto.recorder, ax_loss)
    plotting.mark_events(auto.recorder, ax_loss)
    ax_loss.set_yscale("log")
    ax_loss.set_title("Drive: losses, and what the callback did")
    for ax, (name, found) in zip(explained, diagnoses(auto, constants).items()):
        found.plot(ax)
        ax.set_title(f"Explain: {name}\n{ax.get_title()}")
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
    data, _ = load_data(), build_model()
    say("1. Train with AutoLearningRate(): it chooses a rate, drives it, and reacts")
    auto = train(data, lambda: callbacks.AutoLearningRate(verbose=0), say)
    say(f"   the peak that it chose: {auto.driver.peak:.3g}")
    say("2. Compare with constant rates, Keras' default first")
    constants = []
    for rate in CONSTANT_RATES:
        constants.append(train(data, lambda rate=rate: _constant(rate)))
        say(f"   {rate:g}: test loss {constants[-1]}")
    text = report(auto, constants, len(data.y_test))
    draw(auto, constants).savefig(folder / "digits.png", dpi=110)
    say(f"3. The result\n\n{text}")
    explained = explain(auto, constants)
    say(f"4. Explain: was the rate right, by the curves of the first seed alone?\n\n{explained}")
    write_atomically(folder / "report.txt", f"{text}\n{explained}")
    seconds = time.perf_counter() - begin
    say(f"Wrote {folder / 'digits.png'} and {folder / 'report.txt'} in {seconds:.0f} s.")
    return folder


def _constant(rate):
    return callbacks.FitSchedule(schedules.Constant(rate))
