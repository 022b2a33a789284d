"""Every documented use outside of the schedules, for mypy and pyright: it is read, and never run.

What a checker refuses here it would refuse in a user's code that follows the documentation.
"""

import pathlib
from typing import Any, NamedTuple

import keras
import numpy as np
from matplotlib.figure import Figure

import keras_lr
from keras_lr import callbacks, plotting, schedules
from keras_lr.callbacks import Controller, ControllerState, Event, Replay
from keras_lr.finder import RangeTest
from keras_lr.schedules import epochs, fraction, steps

x, y = np.zeros((8, 2)), np.zeros((8, 1))
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="dense")])
text_path, path = "run/state.json", pathlib.Path("run") / "state.json"
linear = schedules.LinearDecay(0.1, 900)
# Pyright infers from Keras' default that a rate is a float, and refuses Keras' own schedules too.
SGD: Any = keras.optimizers.SGD

# A schedule in the optimizer
model.compile(SGD(linear.with_warmup(100)), "mse")
model.compile(SGD(schedules.WarmupCosine(0.1, 1000)), "mse")

# Callbacks that name the base
callbacks.FitSchedule(linear)
callbacks.FitSchedule(schedules.LinearToZero(0.1, "100%"))
callbacks.FitSchedule(schedules.LinearDecay(0.1, fraction(1.0)), steps_per_epoch=20)
callbacks.FitSchedule(keras.optimizers.schedules.CosineDecay(0.1, 1000), steps_per_epoch="count")
callbacks.FitSchedule(0.1)
callbacks.FitSchedule(lambda step: 0.1)
callbacks.LossThreshold(0.5, [0.001, 0.1])
callbacks.LossThreshold(thresholds=(0.5, 1), learning_rates=(0.001, 0.01, 1), hysteresis=0.05)
callbacks.ValidationThreshold(
    [0.2, 0.8],
    [0.001, 0.01, 0.1],
    "val_accuracy",
    verbose=1,
    on_train_end="restore_initial",
    state_path=path,
)
callbacks.RandomLearningRate(1e-4, 1e-2)
callbacks.RandomLearningRate(1e-4, 1e-2, every=100, seed=1, steps_per_epoch="count")
callbacks.LearningRateScheduler(lambda epoch: 0.1 * 0.9**epoch)
callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate, verbose=1, state_path=text_path)
callbacks.LearningRateScheduler(linear, every=10, steps_per_epoch=20)

# The one that needs no number
callbacks.AutoLearningRate()
callbacks.AutoLearningRate(schedules.WarmupStableDecay(1.0, "100%"), budget=0.05, react=False)
callbacks.AutoLearningRate(keras.optimizers.schedules.CosineDecay(0.1, 1000), state_path=text_path)
callbacks.AutoLearningRate(data=lambda: iter(()), validation_data=lambda: iter(()), verbose=0)
callbacks.AutoLearningRate(monitor="val_accuracy", mode="max", steps_per_epoch="count", seed=1)
callbacks.AutoLearningRate(across_fits=True, epochs=20)

# Callbacks that are factors
callbacks.Warmup("5%")
callbacks.Warmup("2 epochs", start=0.1, shape="cosine")
callbacks.Warmup(epochs(2), shape="polynomial", power=3)
callbacks.Warmup(steps(500), steps_per_epoch=20)
callbacks.Warmup(500)
callbacks.RandomJitter(0.1, every="epoch", distribution="normal")
callbacks.ReduceLROnPlateau()
callbacks.Warmup("5%", across_fits=True, epochs=30)
callbacks.FitSchedule(0.1, across_fits=True, total_steps=1000)
callbacks.ReduceLROnPlateau(across_fits=True)
callbacks.Stages([callbacks.Stage(1e-3, 5, train="head*"), callbacks.Stage(0.1, warmup="5%")])
callbacks.ReduceLROnPlateau("val_loss", 0.5, 3, 1, "min", 1e-3, 2, 1e-5)
callbacks.ReduceLROnPlateau(
    monitor="val_accuracy",
    threshold_mode="rel",
    stop_after_cuts=3,
    stop_at_min_lr=True,
    smoothing=0.5,
    on_nan="stop",
    restore_best="weights",
    start_from_epoch=5,
    on_train_end="keep",
    state_path=path,
)
callbacks.ReduceLROnPlateau("loss", restore_best=True, state_path=text_path)
callbacks.ValidationDecay("val_loss", mode="min", state_path=path)
callbacks.BoldDriver("loss", increase=1.1, decrease=0.7, tolerance=0, min_lr=1e-5, max_lr=1)
callbacks.GreedyLR(factor=0.9, patience=3, warmup=2, cooldown=1, reset_after=10, state_path=path)
callbacks.RecoverFromDivergence("loss", 0.5, 5, threshold=10, every=100, state_path=text_path)
callbacks.RecoverFromDivergence(every="epoch", verbose=0)

# Other callbacks
callbacks.MomentumSchedule(schedules.OneCycle(0.1, 1000).momentum())
callbacks.WeightDecaySchedule(schedules.LinearDecay(0.01, "100%"), steps_per_epoch=20)
recorder = callbacks.LearningRateRecorder()
callbacks.LearningRateRecorder(tensorboard="logs")
callbacks.LearningRateRecorder(pathlib.Path("logs"))
callbacks.TrainingBackup("run/backup")
callbacks.TrainingBackup(pathlib.Path("run") / "backup", every=5, keep=True, verbose=0)
used = [recorder, callbacks.Warmup("5%"), callbacks.ReduceLROnPlateau("loss")]
history = model.fit(x, y, epochs=5, callbacks=used)

# The record
rates: np.ndarray = recorder.learning_rate
by_optimizer: dict[str, np.ndarray] = recorder.learning_rates
for event in recorder.events:
    change: Event = event
    print(event.epoch, event.callback, event.before, event.after, event.reason)
print(recorder.updates, recorder.undone, recorder.epoch_logs)

# Without `fit`, and state by hand
plateau = callbacks.ReduceLROnPlateau("loss", patience=1)
plateau.attach(model)
next_rate: float = plateau.step(0.5)
plateau.detach()
plateau.set_state(plateau.get_state())

# A callback of one's own


class CutState(NamedTuple):
    factor: float = 1.0
    rate: float | None = None
    recent: tuple[float, ...] = ()


class CutAboveMean(Controller):
    def __init__(self, monitor: str = "val_loss", state_path: str | None = None) -> None:
        super().__init__(monitor, state_path=state_path)

    def start(self) -> CutState:
        return CutState()

    def update(self, state: CutState, value: float, rate: float) -> CutState:
        return state._replace(factor=0.5 * state.factor, recent=(*state.recent, value))


with_base = ControllerState(factor=0.5, rate=None)

# What would have happened
losses = [1.0, 0.8, None, 0.9]
found: Replay = callbacks.replay(CutAboveMean(), losses, learning_rate=0.1)
print(found.epochs, found.values, found.factors, found.learning_rates, found.stopped)
callbacks.replay(plateau, history, learning_rate=linear, steps_per_epoch=20)
callbacks.replay(plateau, {"loss": losses}, learning_rate=[0.1, 0.1, 0.05, 0.05])
callbacks.replay(plateau, pathlib.Path("log.csv"))
callbacks.replay(plateau, recorder).plot()
keras_lr.plot_what_if([plateau, CutAboveMean()], history, learning_rate=0.1, labels=["a", "b"])
keras_lr.plot_what_if(plateau, "log.csv", ax=Figure().subplots())

# The range test
tested: RangeTest = keras_lr.range_test(model, x, y)
keras_lr.range_test(
    model,
    x,
    y,
    start=1e-6,
    end=1,
    num_steps=300,
    batch_size=8,
    repeats=3,
    verify=3,
    schedule=linear,
    sample_weight=np.ones(8),
    class_weight={0: 1.0, 1: 2.0},
    shuffle=False,
    validation_data=(x, y),
    after_update=False,
    smoothing=0.9,
    seed=1,
    verbose=0,
)
keras_lr.range_test(model, lambda: iter([(x, y)]))
keras_lr.range_test(model, x, y, total_steps=5000, budget=500, validation_data=lambda: (x, y))
if tested.suggestion is not None:
    doubled: float = 2 * tested.suggestion
    model.compile(keras.optimizers.SGD(tested.suggestion), "mse")
if tested.interval is not None:
    low, high = tested.interval
    print(low < high)
by_rule = tested.suggestions["valley"]
if by_rule is not None:
    print(f"{2 * by_rule:g}")
print(tested.status, tested.advice, tested.learning_rates, tested.losses, tested.smoothed)
print([(rate, loss) for rate, loss in tested.evidence], [curve.rates for curve in tested.repeats])
print(tested.suggestion_for(linear), tested.suggestion_for(schedules.Constant(1), total_steps=90))
tested.plot()
tested.plot(Figure().subplots())
as_json = tested.to_dict()

# After training
told = callbacks.DiagnoseLearningRate()
callbacks.DiagnoseLearningRate(early_warning=False, verbose=0)
diagnosis = keras_lr.diagnose({"loss": [2.0, 1.0], "val_loss": [None, 1.5]})
keras_lr.diagnose(model.fit(x, y))
keras_lr.diagnose("training.csv", initial=2.5)
keras_lr.diagnose(np.ones(9), unit="update")
keras_lr.diagnose(told, model=model, x=x, y=y, validation_data=(x, y), batch_size=4, budget=600)
keras_lr.diagnose([1.0, 0.5], model=lambda: model, x=x, y=y, learning_rate=0.1, seed=1, verbose=0)
print(diagnosis.verdict, diagnosis.probabilities["good"], diagnosis.factor, diagnosis.report())
print([found.name for found in diagnosis.findings], diagnosis.evidence, diagnosis.advice)
diagnosis.plot(Figure().subplots()).set_title("run")
as_json = diagnosis.to_dict()
if told.diagnosis is not None and told.diagnosis.experiment is not None:
    print(told.diagnosis.experiment.suggestion, told.diagnosis.by_curves)

# Before training
for finding in keras_lr.lint(model, used, epochs=5, steps_per_epoch=4, validation=False):
    print(finding.name, finding.severity, finding.evidence, finding.meaning, finding.advice)
assert not keras_lr.lint(model)
keras_lr.lint(model, plateau, epochs=9, initial_epoch=3, x=x, batch_size=4, validation_split=0.1)

# Rates by hand and by layer
keras_lr.set_rate(model, 0.01)
keras_lr.set_rate(keras.optimizers.SGD(0.1), 1)
print(keras_lr.get_rate(model), keras_lr.get_rate(keras.optimizers.SGD(0.1)))
keras_lr.resume_at(model, epoch=5, steps_per_epoch=20)
optimizer = keras_lr.discriminative(SGD(linear), model, {"dense*": 0.1, "*": 0})
model.compile(optimizer, "mse")
model.compile(keras_lr.discriminative(keras.optimizers.AdamW(1e-3), model, decay=0.8), "mse")

# First rates
first: float = keras_lr.scale_learning_rate(0.1, 1024, 256)
keras_lr.scale_learning_rate(0.001, batch_size=1024, base_batch_size=256, rule="sqrt")
keras_lr.learning_rate_for_data_size(50.0, 50_000)
keras_lr.learning_rate_for_model(10.0, model)
keras_lr.learning_rate_for_model(10, 10_000)

# Predictions
of_linear: keras_lr.Bound = keras_lr.bound(linear, 1000)
keras_lr.bound(linear, 1000, np.ones(1000), distance=2.0)
keras_lr.bound(linear.rates(1000), total_steps=1000, gradient_norms=0.5)
keras_lr.bound(keras.optimizers.schedules.CosineDecay(0.1, 1000), 1000)
keras_lr.bound(lambda step: 0.1 / (1 + step), 1000)
halves: float = of_linear.value / 2
print(of_linear.best_peak, of_linear.at(0.1), of_linear.distance_term, of_linear.gradient_term)
ranked: keras_lr.Ranking = keras_lr.rank({"linear": linear, "constant": 0.1}, 1000)
keras_lr.rank([linear, 0.1, linear.rates(1000)], 1000, np.ones(1000), distance=2.0)
print(ranked, [row.name for row in ranked.rows], ranked.notes, ranked.to_dict()["rows"])
best_bound: float = ranked.rows[0].bound
print(ranked.rows[1].relative * ranked.rows[1].relative_peak)
ranked.plot(Figure().subplots())

# Pictures
keras_lr.plot_schedules(linear, 1000)
ax = keras_lr.plot_schedules(
    [linear, schedules.StepDecay(0.1, 300, 0.5)],
    1000,
    ax=Figure().subplots(),
    epochs=10,
    log=True,
    labels=["linear", "steps"],
    marks=False,
)
ax.set_title("two schedules")
linear.plot(1000, epochs=10)
recorder.plot()
plotting.plot_record(recorder, planned=linear, losses=False)
plotting.plot_losses(recorder, ax)
plotting.mark_events(recorder, ax)
plotting.plot_sweep(tested, ax)
plotting.plot_replays([found], ["found"], ax)
version: str = keras_lr.__version__

# An experiment


def build_model(seed: int) -> keras.Model:
    return model


three = {"train": (x, y), "validation": (x, y), "test": (x, y)}
compared: keras_lr.Comparison = keras_lr.compare(
    build_model, three, {"linear": schedules.LinearToZero, "flat": 0.1}, epochs=3, workers=2
)
compared.report().splitlines()
compared.to_dict()["contestants"]
best: str = compared.best
compared.plot(Figure().subplots())
plotting.plot_comparison(compared)
