"""The driver: multiplies base and factors into the optimizer. The only code that touches one.

    applied rate at update t = base(t) × factor₁ × factor₂ × …

Functions of the step are compiled into the training step as they are. They reach it through the
optimizer's `_get_current_learning_rate`, which every use of the rate goes through and which is
replaced, for the length of `fit`, on the optimizer *object*: its class, its variables and its
config stay the user's, so that a checkpoint written meanwhile has Keras' own layout.

What follows metrics changes seldom, between epochs, as `scale · base + level`:

* an optimizer built with a float has it written to its rate variable, which is live everywhere;
* for any other base it is a pair of variables that belong to no optimizer, live in the compiled
  step of TensorFlow and PyTorch. JAX would bake them in, so there a change builds the step anew.
  The optimizer's own schedule becomes `schedule * scale` at the same time: what is saved then
  continues at the rate that was applied.
"""

import math
import weakref

import keras
import numpy as np
from keras import ops

from keras_lr.callbacks.events import Event
from keras_lr.schedules import Constant
from keras_lr.schedules.function import as_schedule
from keras_lr.schedules.units import Run

_HOOK = "_get_current_learning_rate"
_SUPPORTED = "Keras 3.14 and 3.15"

_drivers = weakref.WeakKeyDictionary()


def leaves(optimizer):
    """Returns the optimizers that hold a rate, inside whatever wraps them.

    >>> import keras
    >>> sgd = keras.optimizers.SGD(0.1)
    >>> leaves(keras.optimizers.LossScaleOptimizer(sgd)) == [sgd]
    True
    """
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return leaves(inner)
    return list(getattr(optimizer, "optimizers", [optimizer]))


class Driver:
    """The rates of one model during one `fit`, shared by all of our callbacks in it."""

    def __init__(self, model, params):
        _check_model(model)
        # Weak, as the model is the key that keeps this driver alive.
        self._model = weakref.ref(model)
        self.params = params
        self.callbacks = []
        self.rates = []
        self.events = []
        accumulation = leaves(model.optimizer)[0].gradient_accumulation_steps or 1
        batches = params.get("steps")
        self.run = Run(params.get("epochs"), batches / accumulation if batches else None)

    @staticmethod
    def of(callback, model):
        """Returns the driver of the fit that `callback` is in; a fit's callbacks share `params`."""
        driver = _drivers.get(model)
        if driver is None or driver.params is not callback.params:
            if driver is not None:
                # An interrupted fit ends without `on_train_end`.
                driver.finish()
            driver = _drivers[model] = Driver(model, callback.params or {})
        return driver

    def join(self, callback):
        """Adds a callback; raises if it cannot work with those that are there."""
        rivals = [c for c in self.callbacks if c.sets_base and callback.sets_base]
        if rivals:
            raise ValueError(
                "At most one callback can name absolute learning rates; the others have to be "
                f"factors. Received: {type(rivals[0]).__name__} and {type(callback).__name__}. "
                "Remove one of the two."
            )
        self.callbacks.append(callback)

    def start(self, epoch):
        """Takes the optimizer over, at the first epoch of the fit; savers have restored by then."""
        if self.rates:
            return
        model = self._model()
        step_callbacks = [c for c in self.callbacks if c.schedule is not None]
        base = next((c.schedule for c in step_callbacks if c.sets_base), None)
        factors = [c.schedule for c in step_callbacks if not c.sets_base]
        first_update = self._first_update(epoch, needed=bool(step_callbacks))
        follows_metrics = any(c.follows_metrics for c in self.callbacks)
        for leaf in leaves(model.optimizer):
            rate = LeafRate(leaf, base, factors, first_update)
            self.rates.append(rate)
            if rate.install(model, follows_metrics):
                # What was traced before knows nothing of it.
                model.make_train_function(force=True)

    def _first_update(self, epoch, needed):
        if epoch == 0 or not needed:
            return 0
        if self.run.steps_per_epoch is None:
            raise ValueError(
                "The clock of a fit that starts at a later epoch needs the number of batches per "
                f"epoch: give fit(steps_per_epoch=…). Received: initial_epoch={epoch}"
            )
        return int(epoch * self.run.steps_per_epoch)

    def next_rate(self):
        """Returns the smallest rate that the next update would be made with."""
        return min(float(rate.at_next_update()) for rate in self.rates)

    def update(self, epoch, cause, reason):
        """Applies what the controllers say now, from the next update on."""
        scale, level = self._dialled(self.callbacks)
        rebuild = False
        for rate in self.rates:
            before = float(rate.at_next_update())
            rebuild |= rate.set(scale, level)
            after = float(rate.at_next_update())
            if after != before:
                name = type(cause).__name__
                done = rate.updates_done()
                self.events.append(Event(epoch, done, name, rate.name, before, after, reason))
        if rebuild:
            self._model().make_train_function(force=True)

    @staticmethod
    def _dialled(callbacks):
        states = [callback.state for callback in callbacks if callback.follows_metrics]
        scale = math.prod(state.factor for state in states)
        levels = [state.rate for state in states if state.rate is not None]
        return (0.0, scale * levels[0]) if levels else (scale, 0.0)

    def finish(self):
        """Gives the optimizer back: step functions go, metric reductions stay where they may."""
        staying = [c for c in self.callbacks if not c.restores_initial]
        model, traced = self._model(), False
        for rate in self.rates:
            rate.set(*self._dialled(staying))
            traced |= rate.remove()
        if traced and model is not None:
            # The compiled step still has our functions in it; the next use builds a plain one.
            model.train_function = None
        self.rates, self.callbacks = [], []


class LeafRate:
    """The rate of one optimizer during one fit."""

    def __init__(self, optimizer, fit_base, factors, first_update):
        self.optimizer = optimizer
        self.name = optimizer.name
        self.own = optimizer._learning_rate
        self.is_variable = isinstance(self.own, keras.Variable)
        self.initial = _as_written(optimizer.learning_rate) if self.is_variable else None
        self.fit_base = fit_base
        self.factors = factors
        self.offset = self.updates_done() - first_update
        self.dial = None
        # From update n on, base is taken as scale · base + level.
        self.segments = [(0, 1.0, 0.0)]

    def updates_done(self):
        return int(self.optimizer.iterations)

    def install(self, model, follows_metrics):
        """Puts the rate into the optimizer; returns whether the training step must be rebuilt."""
        has_variable = self.is_variable and self.fit_base is None
        if follows_metrics and not has_variable:
            self.dial = _Dial(model)
        if self.dial is None and self.fit_base is None and not self.factors:
            return False
        # Past the optimizer's own `__setattr__`, which tracks what it is given.
        self.optimizer.__dict__[_HOOK] = self._applied
        return True

    def _applied(self):
        """Returns the rate; runs inside the training step, once per update or once per trace."""
        if self.fit_base is None and self.dial is None:
            rate = getattr(type(self.optimizer), _HOOK)(self.optimizer)
        elif self.fit_base is None:
            rate = self.own(self.optimizer._iterations)
        else:
            rate = self.fit_base(self._clock())
        if self.dial is not None:
            rate = ops.add(ops.multiply(rate, self.dial.scale), self.dial.level)
        for factor in self.factors:
            rate = ops.multiply(rate, factor(self._clock()))
        return rate

    def _clock(self):
        return ops.subtract(self.optimizer.iterations, self.offset)

    def set(self, scale, level):
        """Takes `scale · base + level` from the next update on; returns whether to rebuild."""
        if (scale, level) == self.segments[-1][1:]:
            return False
        self.segments.append((self.updates_done(), scale, level))
        if self.is_variable:
            self.optimizer.learning_rate = self.initial * scale + level
        else:
            self.optimizer.learning_rate = _combined(self.own, scale, level)
        return self.dial is not None and self.dial.set(scale, level)

    def remove(self):
        """Takes the step functions out again; returns whether there were any."""
        return self.optimizer.__dict__.pop(_HOOK, None) is not None

    def at_next_update(self):
        return self.at(np.array([self.updates_done()]))[0]

    def at(self, updates):
        """Returns the rates applied at these updates, as float64, from the formulas alone."""
        starts, scales, levels = (np.array(column) for column in zip(*self.segments))
        segment = np.searchsorted(starts, updates, side="right") - 1
        applied = self._base(updates) * scales[segment] + levels[segment]
        for factor in self.factors:
            applied = applied * factor.rates(updates - self.offset)
        return applied

    def _base(self, updates):
        if self.fit_base is not None:
            return self.fit_base.rates(updates - self.offset)
        if self.is_variable:
            return np.full(len(updates), self.initial)
        every = self.optimizer.gradient_accumulation_steps or 1
        # Keras shows a schedule the batches; the last of each accumulation makes the update.
        return as_schedule("learning_rate", self.own).rates(updates * every + every - 1)


class _Dial:
    """`scale` and `level` where the compiled step sees them change, if the back end allows it."""

    def __init__(self, model):
        self.live = keras.config.backend() != "jax"
        self.scale, self.level = (self._number(value, model) for value in (1.0, 0.0))

    def _number(self, value, model):
        if not self.live:
            return value
        strategy = getattr(model, "distribute_strategy", None)
        options = {"shape": (), "trainable": False, "autocast": False}
        initializer = keras.initializers.Constant(value)
        if strategy is None:
            return keras.Variable(initializer, **options)
        with strategy.scope():
            return keras.Variable(initializer, aggregation="only_first_replica", **options)

    def set(self, scale, level):
        """Returns whether the training step must be rebuilt to see the change."""
        if self.live:
            self.scale.assign(scale)
            self.level.assign(level)
        else:
            self.scale, self.level = scale, level
        return not self.live


def _as_written(variable):
    """Returns the shortest decimal of a float32 rate: 0.1, and not 0.10000000149011612."""
    return float(str(np.float32(float(variable))))


def _combined(schedule, scale, level):
    if scale == 0.0:
        return Constant(level)
    return schedule if scale == 1.0 else as_schedule("learning_rate", schedule) * scale


def _check_model(model):
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        raise ValueError("The model must be compiled first: model.compile(optimizer=…, loss=…).")
    for leaf in leaves(optimizer):
        if not hasattr(type(leaf), _HOOK):
            raise RuntimeError(
                f"keras_lr was tested with {_SUPPORTED}, whose optimizers ask `{_HOOK}` for their "
                f"rate. Keras {keras.__version__} has none in {type(leaf).__name__}: install a "
                "supported version of Keras, or a newer keras_lr."
            )
        own = leaf._learning_rate
        is_schedule = isinstance(own, keras.optimizers.schedules.LearningRateSchedule)
        if not is_schedule and not isinstance(own, keras.Variable):
            raise ValueError(
                f"The optimizer {leaf.name} must be built with a float or a schedule as its "
                f"learning rate, to be changed during training. Received: learning_rate={own!r}"
            )
