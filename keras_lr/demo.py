"""The main job on real data: choose a rate for a classifier of digits, drive it, explain the run.

    python -m keras_lr demo

Everything is seeded, but a back end may add floats in another order: figures differ a little.
"""

import math
import pathlib
import time
from typing import NamedTuple

import keras
import numpy as np

from keras_lr import callbacks, schedules
from keras_lr.files import write_atomically

BATCH_SIZE = 64
SWEEP_RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
SWEEP_EPOCHS = 3
EPOCHS = 20


class Data(NamedTuple):
    """Images as rows of 64 numbers in [0, 1] and their digits: to train, to decide, to report."""

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
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def fit(model, data, epochs, callback_list):
    return model.fit(
        data.x_train,
        data.y_train,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_data=(data.x_val, data.y_val),
        callbacks=callback_list,
        verbose=0,
    ).history


def plan(peak):
    """Returns the schedule of the whole run: from `peak` straight to 0."""
    return schedules.LinearDecay(peak, "100%")


def sweep(data, make_schedule, name, say):
    """Returns the rate with the lowest validation loss after a short run, and all the losses."""
    say(f"   {name}: validation loss after {SWEEP_EPOCHS} epochs, by rate")
    losses = {}
    for rate in SWEEP_RATES:
        callback = callbacks.FitSchedule(make_schedule(rate))
        losses[rate] = fit(build_model(), data, SWEEP_EPOCHS, [callback])["val_loss"][-1]
        say(f"   {rate:>8g}  {losses[rate]:.3f}")
    best = min(losses, key=lambda rate: losses[rate] if math.isfinite(losses[rate]) else math.inf)
    return best, losses


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
    """A run: how its rate was chosen, what was recorded, and its share of right test images."""

    rate: float
    losses: dict
    recorder: callbacks.LearningRateRecorder
    accuracy: float
    planned: schedules.Schedule


def driven_callbacks(rate):
    """Schedule, warmup and plateau, all on one optimizer."""
    return (
        callbacks.FitSchedule(plan(rate)),
        callbacks.Warmup("5%"),
        callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=3),
    )


def constant_callbacks(rate):
    """The rate as it is, to compare with."""
    return (callbacks.FitSchedule(schedules.Constant(rate)),)


def train(data, chosen, make_callbacks, say):
    """Trains at the chosen rate and counts the test images it gets right."""
    rate, losses = chosen
    model, recorder, ours = build_model(), callbacks.LearningRateRecorder(), make_callbacks(rate)
    fit(model, data, EPOCHS, [*ours, recorder, Progress(say)])
    accuracy = model.evaluate(data.x_test, data.y_test, verbose=0, return_dict=True)["accuracy"]
    planned = math.prod(callback.schedule for callback in ours if callback.schedule is not None)
    return Outcome(rate, losses, recorder, accuracy, planned)


def report(driven, constant, test_images):
    """Returns what was found, in words."""
    difference = driven.accuracy - constant.accuracy
    variances = [run.accuracy * (1 - run.accuracy) / test_images for run in (driven, constant)]
    error = math.sqrt(sum(variances))
    verdict = (
        "more than twice its standard error, in one run of each: repeat it with other seeds"
        if abs(difference) > 2 * error
        else "no more than twice its standard error: these two runs show no difference"
    )
    lines = [
        "keras_lr demo: scikit-learn's digits, two hidden layers, SGD with momentum 0.9",
        f"Back end: {keras.backend.backend()}, Keras {keras.__version__}",
        "",
        _chosen("Peak rate, decaying to 0", driven),
        _chosen("Constant rate", constant),
        f"Applied rate: {schedules.Tabulated(driven.recorder.learning_rate).describe()}.",
        f"Changes by callbacks: {len(driven.recorder.events) or 'none'}",
        *(f"  {event}" for event in driven.recorder.events),
        f"Test accuracy, {test_images} images: driven {driven.accuracy:.1%}, "
        f"constant {constant.accuracy:.1%}.",
        f"Difference: {difference:+.1%} ± {error:.1%}; {verdict}.",
    ]
    return "\n".join(lines) + "\n"


def _chosen(what, run):
    at_edge = run.rate in (min(run.losses), max(run.losses))
    advice = "; it lies at the edge of the sweep: look further" if at_edge else ""
    loss = run.losses[run.rate]
    return f"{what}: {run.rate:g} (validation loss {loss:.3f} after {SWEEP_EPOCHS} epochs{advice})."


def draw(driven, constant):
    """Returns one figure: how the rate was chosen, what it was, and what came of it."""
    from matplotlib.figure import Figure

    from keras_lr import plotting

    figure = Figure(figsize=(11, 7.5), layout="constrained")
    (ax_sweep, ax_rate), (ax_accuracy, ax_loss) = figure.subplots(2, 2)
    for run, name, style in ((driven, "driven", "-"), (constant, "constant", "--")):
        (line,) = ax_sweep.semilogx(list(run.losses), list(run.losses.values()), style, marker="o")
        line.set_label(f"{name}, chosen: {run.rate:g}")
        ends = [row["update"] for row in run.recorder.epoch_logs]
        values = [row["val_accuracy"] for row in run.recorder.epoch_logs]
        ax_accuracy.plot(ends, values, style, label=f"{name} (test: {run.accuracy:.1%})")
    ax_sweep.set(xlabel="learning rate (peak)", ylabel=f"validation loss, {SWEEP_EPOCHS} epochs")
    ax_sweep.set_title("Choose: a short run at each rate")
    plotting.plot_record(driven.recorder, ax_rate, planned=driven.planned, losses=False)
    ax_rate.set_title("Drive: schedule × warmup × plateau")
    ax_accuracy.set(xlabel="update", ylabel="validation accuracy")
    ax_accuracy.set_title("Result: driven and constant rate")
    plotting.plot_losses(driven.recorder, ax_loss)
    plotting.mark_events(driven.recorder, ax_loss)
    ax_loss.set_yscale("log")
    ax_loss.set_title("Explain: losses, and what the callbacks did")
    for ax in (ax_sweep, ax_accuracy, ax_loss):
        ax.grid(True, alpha=0.3)
        ax.legend(fontsize="small")
    return figure


def run(folder="demo", say=print):
    """Runs the whole demo; writes `digits.png` and `report.txt` into `folder`; returns its path."""
    begin = time.perf_counter()
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data = load_data()
    say("1. Choose a rate for each of two schedules, by short runs")
    best_peak = sweep(data, plan, "linear decay to 0", say)
    best_constant = sweep(data, schedules.Constant, "constant", say)
    say(f"2. Drive: from {best_peak[0]:g} to 0 × warmup over 5% × cuts when validation stalls")
    driven = train(data, best_peak, driven_callbacks, say)
    say(f"3. Compare: a constant {best_constant[0]:g}")
    constant = train(data, best_constant, constant_callbacks, say)
    text = report(driven, constant, len(data.y_test))
    write_atomically(folder / "report.txt", text)
    draw(driven, constant).savefig(folder / "digits.png", dpi=110)
    say(f"4. Explain\n\n{text}")
    seconds = time.perf_counter() - begin
    say(f"Wrote {folder / 'digits.png'} and {folder / 'report.txt'} in {seconds:.0f} s.")
    return folder
