"""Callbacks that are functions of the update: `FitSchedule`, `Warmup` and the random ones."""

import dataclasses

from keras_lr import checks, schedules
from keras_lr.callbacks.step_callback import StepCallback
from keras_lr.schedules import durations
from keras_lr.schedules.coerce import as_schedule


class FitSchedule(StepCallback):
    """Trains with a schedule whose durations are those of the very `fit` call.

    Epochs and percentages are resolved from the epochs and the batches per epoch of `fit`, in
    real updates under gradient accumulation. It takes the place of the optimizer's own rate or
    schedule during the fit, and nothing of it stays behind. `schedule` may also be a Keras
    schedule or a function of the update.

    >>> import keras, numpy as np
    >>> from keras_lr.callbacks import FitSchedule
    >>> from keras_lr.schedules import LinearDecay
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> schedule = LinearDecay(0.1, "100%").with_warmup("1 epoch", overlay=True)
    >>> callback = FitSchedule(schedule)
    >>> x, y = np.ones((40, 2)), np.ones((40, 1))
    >>> _ = model.fit(x, y, batch_size=4, epochs=5, callbacks=[callback], verbose=0)
    >>> callback.schedule
    Warmup(LinearDecay(0.1, 50), 10, overlay=True)

    A run of five fits, with a part of the data each:

    >>> schedule = LinearDecay(0.1, "100%")
    >>> callback = FitSchedule(schedule, across_fits=True, epochs=5)  # in all
    >>> for part in np.split(x, 5):
    ...     _ = model.fit(part, y[:8], batch_size=4, callbacks=[callback], verbose=0)
    >>> callback.schedule, callback.left_off["clocks"]
    (LinearDecay(0.1, 10), [10])
    """

    sets_base = True

    def __init__(
        self,
        schedule,
        *,
        steps_per_epoch=None,
        optimizer=None,
        across_fits=False,
        epochs=None,
        total_steps=None,
    ):
        super().__init__(steps_per_epoch, optimizer, across_fits, epochs, total_steps)
        self.planned = as_schedule("schedule", schedule)


class Warmup(StepCallback):
    """Warms up whatever the optimizer has, float or schedule, whose own clock runs meanwhile.

    A factor that climbs from `start` at (t + 1) / duration to 1 at the last update of `duration`
    (a number of updates, or "2 epochs", "5%"); shapes as in `schedules.Warmup`.

    >>> from keras_lr.callbacks import Warmup
    >>> from keras_lr.schedules.durations import Run
    >>> Warmup("1 epoch").build(Run(epochs=10, steps_per_epoch=4)).rates(6).tolist()
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        duration,
        *,
        start=0.0,
        shape="linear",
        power=2.0,
        steps_per_epoch=None,
        optimizer=None,
        across_fits=False,
        epochs=None,
        total_steps=None,
    ):
        super().__init__(steps_per_epoch, optimizer, across_fits, epochs, total_steps)
        start = checks.Number(minimum=0, maximum=1)("start", start)
        duration = durations.Length(minimum=0)("duration", duration)
        self.planned = schedules.Warmup(1.0, duration, start, shape, power=power)


class RandomLearningRate(StepCallback):
    """A fresh rate from U(minimum, maximum) every epoch, or every `every` updates.

    Seeded and stateless: the rate is a function of (seed, t), the same in any run, after any
    restart and on every back end. No benefit of a random rate was measured.

    >>> from keras_lr.callbacks import RandomLearningRate
    >>> from keras_lr.schedules.durations import Run
    >>> callback = RandomLearningRate(0.0, 1.0, seed=42)
    >>> callback.build(Run(epochs=2, steps_per_epoch=2)).rates(4).round(4).tolist()
    [0.2879, 0.2879, 0.167, 0.167]
    """

    sets_base = True

    def __init__(
        self,
        minimum,
        maximum,
        every: int | str = "epoch",
        *,
        seed=0,
        steps_per_epoch=None,
        optimizer=None,
        across_fits=False,
    ):
        super().__init__(steps_per_epoch, optimizer, across_fits)
        self.every = interval(every)
        self.planned = schedules.RandomUniform(minimum, maximum, seed=seed)

    def build(self, run):
        return _drawn_anew(self.planned, self.every, run)


class RandomJitter(StepCallback):
    """A random factor 1 + r, r ~ U(-amplitude, amplitude), every epoch or every `every` updates.

    Seeded and stateless as `RandomLearningRate`; multiplies whatever rate there is. No benefit of
    a random rate was measured.

    >>> from keras_lr.callbacks import RandomJitter
    >>> from keras_lr.schedules.durations import Run
    >>> RandomJitter(0.5, every=1, seed=42).build(Run()).rates(2).round(4).tolist()
    [0.7879, 0.667]
    """

    def __init__(
        self,
        amplitude,
        every: int | str = "epoch",
        *,
        seed=0,
        distribution="uniform",
        steps_per_epoch=None,
        optimizer=None,
        across_fits=False,
    ):
        super().__init__(steps_per_epoch, optimizer, across_fits)
        self.every = interval(every)
        self.planned = schedules.Jitter(1.0, amplitude, seed=seed, distribution=distribution)

    def build(self, run):
        return _drawn_anew(self.planned, self.every, run)


def interval(every):
    """The kind of an argument: "epoch", or a whole number of updates."""
    if isinstance(every, str) and every == "epoch":
        return every
    if checks.as_number(every) is None:
        checks.refuse("every", "'epoch', or a whole number of updates", every)
    return checks.COUNT("every", every)


def _drawn_anew(schedule, every, run):
    if every == "epoch":
        if run.steps_per_epoch is None:
            raise ValueError(f"A draw every epoch needs the updates per epoch. Received: {run}")
        every = run.steps_per_epoch
    if every == int(every):
        return dataclasses.replace(schedule, every=int(every))
    # Gradients accumulated across epochs: an epoch is no whole number of updates.
    return schedule.stretch(every)
