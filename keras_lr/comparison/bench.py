"""Where runs are made: models that are compiled once, and begin each run like new ones.

Every run is a call of `fit`, and its result one of `evaluate`. What it costs beyond its updates is
that a new model has its training step compiled; so there is one model for all, which gets the
values of a new one of the run's seed. The rates of a schedule lie in a table that the step reads:
no schedule is compiled in. Callbacks may do with the model and its rate what they like: they have
a second model for themselves, whose rate is a number.
"""

import time
import warnings
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_lr import checks
from keras_lr.comparison.contenders import contenders
from keras_lr.comparison.parts import Parts
from keras_lr.comparison.protocol import CHOOSE, Outcome
from keras_lr.keras_private.building import build_all
from keras_lr.keras_private.copies import non_finite
from keras_lr.keras_private.optimizers import accumulation, has_rate_variable, leaves, parts
from keras_lr.keras_private.random_state import Randomness
from keras_lr.keras_private.step_state import METRIC, cells_of
from keras_lr.rates import set_rate
from keras_lr.schedules.durations import Run
from keras_lr.trials.rate_table import CountedRates


class Plan(NamedTuple):
    """What is compared, as the user gave it, and how long the runs are."""

    build_model: Any
    data: Any
    schedules: Any
    epochs: int
    batch_size: int = 32
    steps_per_epoch: int | None = None
    metric: str = "loss"


class Bench:
    """The place where the runs of a `Plan` are made in this process."""

    def __init__(self, plan):
        self.plan = plan
        self.parts = Parts(plan.data, plan.batch_size, plan.steps_per_epoch)
        self._batch = self.parts.first_batch()
        self._for_table = self._for_callbacks = self._table = None
        # The first values of one seed.
        self._seed = self._values = None
        station = self.station()
        self.run = self._length(station.model)
        self.contenders = contenders(plan.schedules, self.run)

    def make(self, task):
        """Makes a run and returns its `Outcome`."""
        begin = time.perf_counter()
        rates, callbacks = self.contenders[task.name].at(task.rate)
        model = self._trained(task, rates, callbacks)
        part = "validation" if task.purpose == CHOOSE else "test"
        metrics = self.evaluate(model, part, task.seed)
        value = metrics[self.plan.metric]
        metrics = {name: v if np.isfinite(v) else None for name, v in metrics.items()}
        value = value if np.isfinite(value) else None
        return Outcome(value, metrics, time.perf_counter() - begin)

    def evaluate(self, model, part, seed):
        """Returns all metrics of a model on a part of the data, as numbers."""
        arguments = self.parts.arguments(part, seed)
        found = model.evaluate(**arguments, verbose=0, return_dict=True)
        return {name: float(value) for name, value in found.items() if np.ndim(value) == 0}

    def new_model(self, seed):
        """Returns a new model of the user's, built; raises ValueError for anything else."""
        model = self.plan.build_model(seed)
        if not isinstance(model, keras.Model) or getattr(model, "optimizer", None) is None:
            required = "a function of a seed that returns a compiled model, model.compile(…)"
            raise ValueError(f"`build_model` must be {required}. Received: {checks.shown(model)}")
        build_all(model, self._batch)
        return model

    def first_values(self, model):
        """Returns pairs of a cell and its value for all that training changes, metrics aside."""
        return [(cell, cell.read()) for cell in cells_of(model) if cell.kind != METRIC]

    def station(self):
        """Returns the place for schedules, whose model is compiled in the first run."""
        if self._for_table is None:
            self._for_table = Station(self.new_model(0))
        return self._for_table

    def close(self):
        """Gives the model that schedules were run on its own rate again."""
        if self._table is not None:
            self._table.take_off()
            self._table = None

    def _trained(self, task, rates, callbacks):
        station = self.station() if callbacks is None else self._callbacks_station()
        station.begin(self._values_of(task.seed))
        if callbacks is None:
            if self._table is None:
                self._table = CountedRates(station.model, int(self.run.total_steps))
            self._table.write(rates)
        elif task.rate is not None:
            set_rate(station.model, task.rate)
        station.randomness.seed(task.seed)
        training = self.parts.arguments("train", task.seed)
        if callbacks is not None:
            training |= _validation(self.parts.arguments("validation", task.seed))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Your input ran out of data")
            watching = callbacks or [_StopWhenBroken()]
            station.model.fit(**training, epochs=self.plan.epochs, callbacks=watching, verbose=0)
        if callbacks is not None and not station.is_whole():
            self._for_callbacks = None
        return station.model

    def _callbacks_station(self):
        if self._for_callbacks is None:
            model = self.new_model(0)
            if not all(has_rate_variable(leaf) for leaf in leaves(model.optimizer)):
                raise ValueError(
                    "`build_model` must compile its model with a number as the rate, for callbacks "
                    "to begin at another. Received: an optimizer with a schedule"
                )
            self._for_callbacks = Station(model)
        return self._for_callbacks

    def _values_of(self, seed):
        if self._seed != seed:
            values = self.first_values(self.new_model(seed))
            self._seed, self._values = seed, [value for _, value in values]
        return self._values

    def _length(self, model):
        batches, epochs = self.parts.batches_per_epoch(), self.plan.epochs
        every = accumulation(leaves(model.optimizer)[0])
        steps = batches * epochs // every
        if steps < 1:
            required = f"so many that gradients of {every} batches make an update"
            checks.refuse("epochs", required, epochs)
        return Run(epochs, batches / every, steps)


class Station:
    """A model, and what a run begins with."""

    def __init__(self, model):
        self.model, self._optimizers = model, list(parts(model.optimizer))
        self._cells = [cell for cell in cells_of(model) if cell.kind != METRIC]
        self._shapes = [cell.read().shape for cell in self._cells]
        self.randomness = Randomness()

    def begin(self, values):
        """Gives the model the values of a new one."""
        if [value.shape for value in values] != self._shapes:
            raise ValueError(
                "`build_model` must return the same model for every seed, with other first "
                "weights. Received: models of other shapes"
            )
        for cell, value in zip(self._cells, values):
            cell.write(value)

    def is_whole(self):
        """Tells whether the model has the optimizer that it was compiled with."""
        return list(parts(self.model.optimizer)) == self._optimizers


class _StopWhenBroken(keras.callbacks.Callback):
    """Ends a run once weights are no numbers, and never will be again."""

    def on_epoch_end(self, epoch, logs=None):
        if np.isnan((logs or {}).get("loss", 0.0)) and non_finite(self.model):
            self.model.stop_training = True


def _validation(arguments):
    """Returns the arguments of `fit` that have it validate on what `evaluate` would be given."""
    found = {"validation_data": arguments["x"]}
    if "y" in arguments:
        names = [n for n in ("x", "y", "sample_weight") if n in arguments]
        found = {"validation_data": tuple(arguments[n] for n in names)}
        found["validation_batch_size"] = arguments["batch_size"]
    return found
