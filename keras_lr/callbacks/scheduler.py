"""`LearningRateScheduler`: Keras' callback, as a base that our other callbacks multiply."""

import inspect
import math

import keras
import numpy as np

from keras_lr import checks
from keras_lr.callbacks.controller import ControllerState, StatefulCallback
from keras_lr.callbacks.scheduled import interval
from keras_lr.callbacks.step_callback import StepCallback
from keras_lr.driving.contribution import Contribution
from keras_lr.driving.messages import tell, verbosity
from keras_lr.schedules import Schedule, Tabulated
from keras_lr.schedules.coerce import Nested
from keras_lr.schedules.evaluation import whole_periods
from keras_lr.schedules.fields import Steps


class LearningRateScheduler(StatefulCallback, StepCallback):
    """Sets the rate at the beginning of every epoch to `schedule(epoch, lr)` or `schedule(epoch)`.

    Keras' callback, and it works on an optimizer that was built with a schedule, whose place it
    takes, also after the fit. What is returned may be any finite scalar >= 0: a Python or NumPy
    number or a tensor. It is the base that other callbacks of ours multiply, and so is `lr`: what
    `schedule` returned last, at first the optimizer's own rate. Whether `schedule` takes `lr`
    is read from its signature, so that errors of its own reach the user. Optimizers of a
    `MultiOptimizer` all get the same rate; where their own differ, there is no `lr` to give. Under
    `discriminative` each gets its share of it, and `lr` is the rate at multiplier 1.

    `every=n` sets `schedule(k)` for the updates kn … kn + n − 1 of the fit, k = 0, 1, …, without
    host work per batch: all values are asked for before training, so that `schedule` can take no
    `lr`, and `fit` or `steps_per_epoch` has to know the length. Nothing of it stays behind.

    `logs["learning_rate"]` is the rate applied at the epoch's last update (`learning_rate_<name>`
    under a `MultiOptimizer`). `verbose=1` tells the rate of each epoch. `state_path` keeps what was
    returned last: see `StatefulCallback`.

    >>> import keras, numpy as np
    >>> from keras_lr.callbacks import LearningRateScheduler
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5), "mse")
    >>> callback = LearningRateScheduler(lambda epoch, lr: lr / 2)
    >>> x, y = np.ones((8, 2)), np.ones((8, 1))
    >>> history = model.fit(x, y, epochs=3, callbacks=[callback], verbose=0)
    >>> history.history["learning_rate"]
    [0.25, 0.125, 0.0625]
    """

    sets_base = records = True

    def __init__(
        self,
        schedule,
        verbose=0,
        *,
        every: int | str = "epoch",
        steps_per_epoch=None,
        state_path=None,
        optimizer=None,
        across_fits=False,
        epochs=None,
        total_steps=None,
    ):
        StepCallback.__init__(self, steps_per_epoch, optimizer, across_fits, epochs, total_steps)
        self.planned = schedule
        self.verbose = verbosity("verbose", verbose)
        self.every = interval(every)
        self._takes_rate = _takes_rate(schedule)
        # In epochs it is driven as a metric would do it: from the host, between two epochs.
        self.follows_metrics = self.every == "epoch"
        if self._takes_rate and not self.follows_metrics:
            required = "a function of the index alone where `every` is a number: its values are "
            checks.refuse("schedule", required + "asked for before training", schedule)
        self.remember(state_path)
        self._asked = ()

    @property
    def contribution(self):
        return Contribution(base=self.state.rate if self.schedule is None else self.schedule)

    def planned_contribution(self, run):
        # The function may be anything: it is asked in the fit.
        return None

    def contribution_to(self, optimizer, run):
        if self.schedule is None:
            return self.contribution
        return StepCallback.contribution_to(self, optimizer, run)

    # In updates: a table, made before training

    def build(self, run):
        if self.follows_metrics:
            return None
        run = self.horizon.of(run)
        if run.total_steps is None:
            raise ValueError(f"A rate every n updates needs the length of the run. Received: {run}")
        count = math.ceil(run.total_steps / self.every)
        asked = self._asked or tuple(self._ask(k) for k in range(count))
        return _Held(Tabulated((asked + asked[-1:] * count)[:count]), self.every)

    def on_train_begin(self, logs=None):
        self._asked, self._adoptions = (), 0
        super().on_train_begin(logs)
        # The plan is built once more, for another length: the function is not asked again.
        self._asked = self.schedule.table.values if self.schedule is not None else ()

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        self._asked = ()

    # In epochs: a number, asked for when an epoch begins

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        if not self.follows_metrics:
            return
        in_run = self.epoch_in_run(epoch)
        rate = self._ask(in_run, *([self._base_rate()] if self._takes_rate else []))
        self.state = ControllerState(rate=rate)
        self.driver.update(epoch, self, f"schedule({in_run})")
        if self.verbose:
            tell(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self.driver.decided(self, epoch + 1)

    def _base_rate(self):
        """Returns what `schedule` returned last, unless somebody else has written a rate since."""
        self.driver.others.adopt()
        written = self.driver.others.adoptions != self._adoptions
        self._adoptions = self.driver.others.adoptions
        if self.state.rate is not None and not written:
            return self.state.rate
        rates = self.driver.driven.base_rates(self)
        # Shares of one rate, taken apart again, are equal but for rounding.
        if not np.allclose(rates, rates[0], rtol=1e-6, atol=0):
            rates = sorted(set(rates))
            raise ValueError(
                "`schedule` must be a function of the epoch alone for optimizers of different "
                f"rates, of which none is `lr`. Received: {', '.join(map(str, rates))}"
            )
        return rates[0]

    def _ask(self, *arguments):
        returned = self.planned(*arguments)
        if keras.ops.is_tensor(returned) or isinstance(returned, keras.Variable):
            returned = keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(returned))
        return checks.CALCULATED_RATE(f"schedule({arguments[0]})", returned)


def _takes_rate(schedule):
    """Tells by the signature whether to call `schedule(epoch, lr)`, as Keras would at first."""
    for arguments in [(0, 0.1), (0,)] if callable(schedule) else ():
        try:
            inspect.signature(schedule).bind(*arguments)
        except (TypeError, ValueError):
            continue
        return len(arguments) == 2
    checks.refuse("schedule", "a function of (epoch) or of (epoch, lr)", schedule)


class _Held(Schedule):
    """`table[t // every]`."""

    table: Nested
    every: Steps

    def rate(self, t, xp):
        return self.table.rate(whole_periods(t, self.every, xp), xp)
