"""What can be compared: schedules, recipes, callbacks, and functions of the peak that make them."""

import copy
import inspect
from collections.abc import Mapping

import keras
import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from keras_lr import checks
from keras_lr.comparison.fingerprint import described, digest
from keras_lr.prediction import is_table
from keras_lr.schedules import Constant
from keras_lr.schedules.coerce import as_schedule

CONSTANT = "constant"
_REQUIRED = (
    "a schedule, an array of the rates of all updates, a recipe such as LinearToZero, a callback "
    "or a list of them, or a function of the highest rate that returns one of these"
)
# A schedule that is longer or shorter by so little is meant for this run.
_SLACK = 0.02
# A rate below so much of the highest is the end of an annealing.
_SPENT = 0.01


def contenders(schedules, run):
    """Returns a `Contender` for each name, and one for a constant rate unless there is one.

    `run` has the length in epochs and updates. Raises ValueError for what cannot be compared.
    """
    if not isinstance(schedules, Mapping) or not schedules:
        checks.refuse(
            "schedules", "a mapping of names to schedules, callbacks or recipes", schedules
        )
    if not all(isinstance(name, str) and name for name in schedules):
        checks.refuse("schedules", "a mapping whose keys are names", list(schedules))
    named = {CONSTANT: Constant(1.0), **schedules}
    found = {name: Contender(f"schedules[{name!r}]", given, run) for name, given in named.items()}
    for contender in found.values():
        contender.at(1.0 if contender.is_tuned else None)
    return found


class Contender:
    """One schedule, recipe, callback or function of the peak, as it is in a run at some rate.

    >>> from keras_lr.schedules import LinearToZero
    >>> from keras_lr.schedules.durations import Run
    >>> contender = Contender("linear", LinearToZero, Run(1, 40))
    >>> rates, callbacks = contender.at(0.5)
    >>> rates[[0, 1, 39]].round(3).tolist(), callbacks
    ([0.25, 0.5, 0.013], None)
    """

    def __init__(self, argument, given, run):
        self._argument, self._given, self._run = argument, given, run
        self._steps = int(run.total_steps)
        # Callbacks that name absolute rates, as AutoLearningRate does, have a rate of their own.
        callbacks = _as_callbacks(given)
        self.is_tuned = not any(getattr(c, "sets_base", False) for c in callbacks or ())

    def at(self, rate):
        """Returns the rates of all updates and None, or None and new callbacks.

        `rate` is the highest one; None where the contender has a rate of its own.
        """
        made = self._made(rate)
        callbacks = _as_callbacks(made)
        if callbacks is not None:
            return None, callbacks
        return self._rates(made, rate), None

    def described(self, rate):
        """Returns a digest of what trains at a rate: of the rates, or of the callbacks."""
        rates, callbacks = self.at(rate)
        return digest("rates", rates) if callbacks is None else digest(described(callbacks), rate)

    def _made(self, rate):
        given = self._given
        if isinstance(given, type) and issubclass(given, LearningRateSchedule):
            return self._of_class(given, rate)
        if _is_function_of_the_peak(given):
            made = given(rate)
            if made is None or checks.as_number(made) is not None:
                required = "a function of the highest rate that returns a schedule or callbacks"
                note = "a function of the update goes into LambdaDecay(1.0, function)"
                checks.refuse(self._argument, f"{required} ({note})", made)
            return made
        return copy.deepcopy(given) if _as_callbacks(given) else given

    def _of_class(self, kind, rate):
        try:
            return kind(rate, self._steps)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`{self._argument}` must be a class that is built from its highest rate and the "
                f"updates of the run, or `lambda peak: …`. Received: {kind.__name__}: {error}"
            ) from error

    def _rates(self, schedule, rate):
        name, steps = self._argument, self._steps
        if is_table(schedule):
            rates = np.asarray(schedule, "float64")
            if rates.shape != (steps,):
                required = f"an array of {steps:,} rates, one for each update of the run"
                checks.refuse(name, required, f"an array of shape {rates.shape}")
        else:
            try:
                schedule = as_schedule(name, schedule)
            except ValueError:
                checks.refuse(name, _REQUIRED, schedule)
            run = self._run
            schedule = schedule.resolve(run.epochs, steps_per_epoch=run.steps_per_epoch)
            rates = schedule.rates(steps)
            self._refuse_another_length(schedule, rates)
        peak = float(np.max(rates))
        if not (peak > 0 and np.all(np.isfinite(rates) & (rates >= 0))):
            checks.refuse(name, "a schedule of finite rates, none negative, one above 0", schedule)
        return rates if rate == peak else rates * (rate / peak)

    def _refuse_another_length(self, schedule, rates):
        length, steps = schedule.length, self._steps
        if not length:
            return
        is_short = length < (1 - _SLACK) * steps and rates[-1] < _SPENT * np.max(rates)
        if length <= (1 + _SLACK) * steps and not is_short:
            return
        raise ValueError(
            f"`{self._argument}` must be as long as the run, {steps:,} updates: write durations as "
            '"100%" or "5%", give the class, as in LinearToZero, or, if the length is what you '
            f"compare, the array schedule.rates({steps}). Received: {schedule!r}, which ends at "
            f"update {length:g}"
        )


def _as_callbacks(value):
    """Returns a list of callbacks where it is one, or one of them; None for anything else."""
    listed = list(value) if isinstance(value, (list, tuple)) else [value]
    is_all = listed and all(isinstance(each, keras.callbacks.Callback) for each in listed)
    return listed if is_all else None


def _is_function_of_the_peak(value):
    return inspect.isroutine(value) or type(value).__name__ == "partial"
