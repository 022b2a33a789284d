"""Every documented use of schedules, for type checkers: mypy and pyright accept each line."""

from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure

import keras_lr
from keras_lr import schedules
from keras_lr.schedules import Duration, LinearDecay, Schedule, epochs, fraction, steps
from keras_lr.schedules.fields import Length, Rate

# Lengths: updates, whole or real, epochs, percentages and durations
LinearDecay(0.1, 1000)
LinearDecay(1, 1000.5, 0)
LinearDecay(0.1, "10 epochs")
LinearDecay(0.1, "100%")
LinearDecay(0.1, "500 steps", end_learning_rate=0.01)
LinearDecay(0.1, epochs(10), name="line")
LinearDecay(0.1, fraction(0.5))
LinearDecay(0.1, steps(500))
LinearDecay(0.1, Duration(10, "epochs"))
LinearDecay(initial_learning_rate=0.1, decay_steps=1000, end_learning_rate=0.0, name="line")
LinearDecay(np.float64(0.1), 1000)
LinearDecay.from_rate(0.1, 0.001, end_learning_rate=0.01)

# Keras' six, by position and by name
schedules.ExponentialDecay(0.1, 1000, 0.96, True, "exponential", end_learning_rate=0.01)
schedules.ExponentialDecay(0.1, "1 epoch", 0.96, staircase=True)
schedules.InverseTimeDecay(0.1, 1, 1e-4)
schedules.InverseTimeDecay(0.1, "1 epoch", 0.5, staircase=True, name="inverse")
schedules.PolynomialDecay(0.1, 1000, 0.0, 2.0, True, "polynomial")
schedules.PolynomialDecay(0.1, "100%", power=2)
schedules.CosineDecay(0.1, 1000)
schedules.CosineDecay(0.0, 1000, 0.0, "cosine", 0.1, 100)
schedules.CosineDecay(0.0, "90%", warmup_target=0.1, warmup_steps="10%")
schedules.CosineDecayRestarts(0.1, 1000, 2.0, 0.5, 0.0, "restarts")
schedules.CosineDecayRestarts(0.1, "10 epochs", t_mul=1)
schedules.PiecewiseConstantDecay([1000, 2000], [0.1, 0.01, 0.001], "piecewise")
schedules.PiecewiseConstantDecay(("5 epochs", epochs(8)), (0.1, 0.01, 0.001))

# Ours
schedules.Constant(0.1)
schedules.NaturalExponentialDecay(0.1, decay_rate=0.01)
schedules.NaturalExponentialDecay(0.1, "1 epoch", decay_rate=0.5, staircase=True, name="natural")
schedules.StepDecay(0.1, "30 epochs", 0.1)
schedules.MultiStepDecay(0.1, [30, 60], 0.1)
schedules.MultiStepDecay(0.1, ["50%", "75%"], 0.1)
schedules.MultiStepDecay(0.1, np.array([30, 60]), 0.1)
schedules.PowerDecay(0.1, 1000, 0.5)
schedules.InverseSquareRootDecay(0.1, timescale="1 epoch")
schedules.NoamDecay(512, 4000, scale=2.0)
schedules.NoamDecay(d_model=512, warmup_steps="5%")
schedules.SqrtDecay(0.1, "100%", 0.01)
schedules.RexDecay(0.1, 1000, beta=0.9)
schedules.TanhDecay(0.1, 1000, lower=-3, upper=3)
schedules.KDecay(0.1, 1000, 0.0, k=2)
schedules.LambdaDecay(0.1, lambda t: 1 / (1 + t))
schedules.LambdaDecay(0.1, np.cos, name="waves")
schedules.Tabulated([0.1, 0.01])
schedules.Tabulated(np.linspace(0.1, 0.0, 10))
schedules.Tabulated.from_function(lambda step: 0.1 if step < 2 else 0.01, 4)
schedules.PiecewiseLinear([0, 100, 1000], [0.0, 0.1, 0.0])
schedules.PiecewiseCosine([0, "10%", "100%"], [0.0, 0.1, 0.0], name="cosines")
schedules.CyclicalLearningRate(1e-4, 1e-2, 500, mode="exp_range", gamma=0.999)
schedules.CyclicalLearningRate(1e-4, 1e-2, "2 epochs", "3 epochs", "triangular2")
cycle = schedules.OneCycle(0.1, 1000, pct_start=0.25, anneal="linear", three_phase=True)
schedules.OneCycle(0.1, "100%", 0.3, 25, 1e4)
cycle.momentum(0.85, maximum=0.95)
schedules.SlantedTriangular(0.1, "100%", cut=0.2, ratio=16)
schedules.RandomUniform(0.01, 0.1, every="1 epoch", seed=42)
schedules.RandomLogUniform(0.001, 0.1, 10, 3)

# Recipes
schedules.LinearToZero(0.1, "100%")
schedules.LinearToZero(0.1, 1000, warmup="10%").expand()
schedules.WarmupCosine(0.1, 1000, 100, end_learning_rate=0.01)
schedules.WarmupStableDecay(0.1, 1000, warmup=epochs(1), decay="20%", shape="linear")
schedules.FlatCosine(0.1, 1000, flat=fraction(0.5))
schedules.WarmRestarts(0.1, [100, "2 epochs"], warmup=10)

# Composition: classes take ours, Keras' own, functions and numbers
line, theirs = LinearDecay(0.1, 900), keras.optimizers.schedules.CosineDecay(0.1, 900)
schedules.Sequential([line, theirs, 0.01], ["1 epoch", 2000])
schedules.Sequential((line, lambda step: 0.1 / (1 + step)), (1000,))
schedules.Warmup(line, "5%", start=0.01, shape="polynomial", overlay=True, power=3)
schedules.Warmup(theirs, 100)
schedules.Clip(line, 0.01)
schedules.Clip(line, maximum=0.05, name="clipped")
schedules.Shift(line, "1 epoch")
schedules.Stretch(line, 50)
schedules.Hold(line, every=10)
schedules.Repeat(line, "10 epochs", 2.0, amplitude_multiplier=0.5)
schedules.Repeat(schedules.PiecewiseLinear([0, 50, 100], [0.0, 0.1, 0.0]), 100)
schedules.Jitter(line, 0.1, every=10, seed=3, distribution="log_uniform")
schedules.Sum([line, 0.01])
schedules.Product((line, theirs, 0.5))
schedules.Maximum([line, 0.01])
schedules.Minimum([line, lambda step: 0.1])

# Operators and methods build schedules
composed: Schedule = line * theirs - line + 0.01
composed = -line + np.float64(0.2)
composed = theirs + line
# Of numbers on the left, mypy knows the right type only with `follow_untyped_imports` for Keras.
halved, difference = 0.5 * line, 0.2 - line
composed = schedules.maximum(line, theirs, 0.01)
composed = schedules.minimum(line, 0.05)
composed = line.with_warmup("5%").then(0.001, at=1000).clip(0.0, maximum=0.1)
composed = line.with_warmup(100, start=0.01, shape="exponential", overlay=True)
composed = line.shift("1 epoch").stretch(2.5).hold("1 epoch")
composed = line.repeat("10 epochs", period_multiplier=2).jitter(0.1, every=10, seed=3)

# Names, configs and other frameworks
schedule: Schedule = schedules.get("cosine", initial_learning_rate=0.1, decay_steps=1000)
schedule = schedules.get({"class_name": "constant", "config": {"learning_rate": 0.1}})
schedule = schedules.get(theirs)
schedule = schedules.deserialize(schedules.serialize(line), custom_objects={"f": abs})
schedule = LinearDecay.from_config(line.get_config())
name: str = schedules.names()["sgdr"]
schedule = schedules.from_torch("CosineAnnealingLR", 0.1, T_max=100).stretch(50).hold(50)
schedule = schedules.from_torch("OneCycleLR", max_lr=0.1, total_steps=100)
schedule = schedules.from_optax("cosine_decay_schedule", init_value=0.1, decay_steps=100)
schedule = schedules.from_transformers("linear", 0.1, 100, 1000)
schedule = schedules.from_transformers("polynomial", 0.1, num_training_steps=9, power=2.0)

# Reading
rates: np.ndarray = line.rates(1000)
first: float = float(line.rates([0, 10])[0])
tensor = line(keras.ops.arange(10))
rate: float = float(line(3))
text: str = line.describe() + composed.resolve(1, steps_per_epoch=10).describe(total_steps=10)
resolved: Schedule = LinearDecay(0.1, "10 epochs").resolve(20, steps_per_epoch=100)
resolved = LinearDecay(0.1, "50%").resolve(epochs=20, total_steps=2000)
resolved = LinearDecay(0.1, "50%").resolve(total_steps=2000)
last = line.length
marks: tuple[tuple[int, str], ...] = line.with_warmup(10).marks(100)
equal: bool = line == LinearDecay(0.1, 900)
table = {line: "the same as another of the same arguments"}
# pyright takes the default of Keras, a float, for a type, and refuses schedules of Keras too.
keras.optimizers.SGD(line.with_warmup(100), momentum=0.9)  # pyright: ignore[reportArgumentType]

# Pictures
axes = Figure().subplots()
line.plot(ax=axes)
cycle.plot(1000, axes, epochs=10, log=True)
keras_lr.plot_schedules(line, ax=axes)
keras_lr.plot_schedules([line, theirs, lambda step: 0.1, 0.05], 1000, ax=axes, labels=list("abcd"))
keras_lr.plot_schedules([cycle], epochs=10, log=True, marks=False, ax=axes)


# A class of your own
class HalfLifeDecay(Schedule):
    """Halves every `half_life` updates."""

    initial_learning_rate: Rate
    half_life: Length

    def rate(self, t: Any, xp: Any) -> Any:
        return self.initial_learning_rate * xp.exp2(-t / self.half_life)


HalfLifeDecay(0.8, "10 epochs")
HalfLifeDecay(0.8, half_life=10).rates(3)
