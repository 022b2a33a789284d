"""The driver: one for all of our callbacks in a fit; multiplies base and factors.

    applied rate at update t = base(t) × factor₁ × factor₂ × …

How that reaches an optimizer is in optimizer_rate.py.
"""

import math
import sys
import warnings
import weakref

from keras_lr.callbacks.events import Event
from keras_lr.callbacks.optimizer_rate import OptimizerRate, check_optimizer, leaves
from keras_lr.schedules.units import Run

_PLACE = "_keras_lr_driver"


def fits_under_way(model):
    """Returns the frames of the calls of `fit` that this model is in, the innermost first."""
    # Keras tells callbacks nothing of the call they serve; the stack is all there is to look at.
    frames, frame = [], sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "fit" and frame.f_locals.get("self") is model:
            frames.append(frame)
        frame = frame.f_back
    return frames


class Driver:
    """The rates of one model during one `fit`, shared by all of our callbacks in it."""

    def __init__(self, model, params):
        check_optimizer(model)
        self._model = weakref.ref(model)
        self.params = params
        self.started = False
        self.callbacks = []
        self.rates = []
        self.events = []
        accumulation = leaves(model.optimizer)[0].gradient_accumulation_steps or 1
        params = params or {}
        batches = params.get("steps")
        self.run = Run(params.get("epochs") or None, batches / accumulation if batches else None)

    @staticmethod
    def of(callback, model):
        """Returns the driver of the fit that `callback` is in; a fit's callbacks share `params`."""
        driver = vars(model).get(_PLACE)
        if driver is None or driver.started or driver.params is not callback.params:
            if driver is not None:
                if driver.rates and len(fits_under_way(model)) > 1:
                    raise ValueError(
                        "A `fit` inside a `fit` of the same model cannot have callbacks of "
                        f"keras_lr of its own. Received: {type(callback).__name__}"
                    )
                # An interrupted fit ends without `on_train_end`.
                driver.finish()
            # Past the model's own `__setattr__`, which tracks what it is given.
            driver = vars(model)[_PLACE] = Driver(model, callback.params)
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
        self._epoch_is_fresh = True
        if self.started:
            return
        self.started = True
        model = self._model()
        step_callbacks = [c for c in self.callbacks if c.schedule is not None]
        base = next((c.schedule for c in step_callbacks if c.sets_base), None)
        factors = [c.schedule for c in step_callbacks if not c.sets_base]
        first_update = self._first_update(epoch, needed=bool(step_callbacks))
        follows_metrics = any(c.follows_metrics for c in self.callbacks)
        for leaf in leaves(model.optimizer):
            self.rates.append(OptimizerRate(leaf, base, factors, first_update))
        installed = [rate.install(model, follows_metrics) for rate in self.rates]
        if any(installed) or any(rate.may_be_stale() for rate in self.rates):
            # What was traced before knows nothing of it.
            model.make_train_function(force=True)
        vars(model)["make_train_function"] = self._make_train_function

    def _make_train_function(self, force=False):
        # A `fit` that asks for it, and is the only one under way, comes after one that was
        # interrupted: `finish` would have taken this away. `train_on_batch` may ask as it likes.
        model = self._model()
        caller = sys._getframe(1)
        if caller.f_code.co_name == "fit" and fits_under_way(model) == [caller]:
            self.finish()
        return type(model).make_train_function(model, force=force)

    def look_for_foreign_writes(self):
        """At the first batch of an epoch, when all have had their say, reads what rate there is."""
        if not self._epoch_is_fresh:
            return
        self._epoch_is_fresh = False
        foreign = [rate.name for rate in self.rates if rate.adopt_foreign_write()]
        if foreign and any(c.follows_metrics or c.schedule is not None for c in self.callbacks):
            warnings.warn(
                f"Somebody else writes the learning rate of {', '.join(foreign)} beside the "
                "callbacks of keras_lr, perhaps Keras' LearningRateScheduler or ReduceLROnPlateau. "
                "A number is the base from here on, and written over when a metric changes a "
                "factor; it has no effect under FitSchedule and RandomLearningRate, nor has "
                "another schedule in this fit.",
                stacklevel=2,
            )

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
        return min(rate.at_next_update() for rate in self.rates)

    def update(self, epoch, cause, reason):
        """Applies what the controllers say now, from the next update on."""
        scale, level = self._dialled(self.callbacks)
        rebuild = False
        for rate in self.rates:
            before = rate.at_next_update()
            rebuild |= rate.set(scale, level)
            after = rate.at_next_update()
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
            if not rate.was_overwritten():
                rate.set(*self._dialled(staying))
            traced |= rate.remove()
        self.rates, self.callbacks = [], []
        if model is None:
            return
        vars(model).pop("make_train_function", None)
        vars(model).pop(_PLACE, None)
        if traced:
            # The compiled step still has our functions in it; the next use builds a plain one.
            model.train_function = None
