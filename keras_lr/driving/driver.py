"""The driver: one for all of our callbacks in a fit; multiplies base and factors.

    applied rate at update t = base(t) × factor₁ × factor₂ × …

How that reaches an optimizer is in optimizer_rate.py.
"""

import math
import sys
import warnings
import weakref

import keras

from keras_lr.driving.driven_optimizer import OptimizerRate
from keras_lr.driving.events import Event
from keras_lr.driving.outlook import highest, warn_of_another_length, warn_of_exhausted
from keras_lr.driving.rivals import warn_of_keras_own
from keras_lr.driving.saved_state import Memory
from keras_lr.keras_private.fit_call import batches_per_epoch, fits_under_way, listed
from keras_lr.keras_private.optimizers import check_optimizer, leaves
from keras_lr.schedules.durations import Run

_PLACE = "_keras_lr_driver"


class Driver:
    """The rates of one model during one `fit`, shared by all of our callbacks in it."""

    def __init__(self, model, params, batches=None):
        check_optimizer(model)
        self._model = weakref.ref(model)
        self.params = params
        self.started = False
        self._length_is_checked = False
        self.undone_epoch = None
        self.callbacks = []
        self.hooks = []
        self.rates = []
        self.events = []
        self.memory = Memory(self.callbacks)
        self.by_hand, self.clocks = False, []
        self._batches = batches
        accumulation = leaves(model.optimizer)[0].gradient_accumulation_steps or 1
        epochs = (params or {}).get("epochs") or None
        self.run = Run(epochs, batches / accumulation if batches else None)

    @staticmethod
    def of(callback, model):
        """Returns the driver of the fit that `callback` is in; a fit's callbacks share `params`."""
        driver = vars(model).get(_PLACE)
        if driver is None or driver.started or driver.params is not callback.params:
            if driver is not None:
                driver.make_way(callback)
            # Past the model's own `__setattr__`, which tracks what it is given.
            batches = batches_per_epoch(callback, model)
            driver = vars(model)[_PLACE] = Driver(model, callback.params, batches)
        return driver

    @staticmethod
    def attached(model):
        """Returns the callbacks that are attached to a model, taken off to be so with another."""
        driver = vars(model).get(_PLACE)
        if driver is None or not driver.by_hand:
            return []
        if not driver.drives(model):
            driver.finish()
            return []
        if any(rate.updates_made() for rate in driver.rates):
            raise ValueError(
                "All callbacks of a loop must be attached before its first update: "
                f"{driver.callbacks[0].owner} is under way. Call `detach()` to begin anew."
            )
        together = driver.callbacks + driver.hooks
        for callback, state in driver.memory.given.items():
            callback.set_state(state)
        # Nothing was applied yet: nothing stays.
        driver.callbacks = []
        driver.finish()
        return together

    def drives(self, model):
        """Tells whether the optimizer is still the one that this drives, and not compiled anew."""
        mine = [rate.optimizer for rate in self.rates]
        return [id(leaf) for leaf in leaves(model.optimizer)] == [id(leaf) for leaf in mine]

    def make_way(self, callback):
        """Ends what an interrupted fit has left; raises if this fit or loop is under way."""
        fits = fits_under_way(self._model())
        name = type(callback).__name__
        if self.rates and len(fits) > 1:
            raise ValueError(
                "A `fit` inside a `fit` of the same model cannot have callbacks of keras_lr of its "
                f"own. Received: {name}"
            )
        if self.by_hand and fits and self.drives(self._model()):
            raise ValueError(
                "`fit` cannot have callbacks of keras_lr while others are attached to the model: "
                f"give all of them to `fit`, or call `detach()` first. Received: {name}"
            )
        self.finish()

    def join(self, callback):
        """Adds a callback; raises if it cannot work with those that are there."""
        if any(other is callback for other in self.callbacks + self.hooks):
            if sum(other is callback for other in listed(self._model())) > 1:
                raise ValueError(
                    f"Each callback must be listed once. Received twice: {callback.owner}"
                )
            # Begun once more by hand, before the first epoch.
            return
        rivals = [c for c in self.callbacks if c.sets_base and callback.sets_base]
        if rivals:
            raise ValueError(
                "At most one callback can name absolute learning rates; the others have to be "
                f"factors. Received: {type(rivals[0]).__name__} and {type(callback).__name__}. "
                "Remove one of the two."
            )
        self.memory.open(callback)
        # What installs itself drives something else than the rate (see hyperparameters.py).
        (self.hooks if hasattr(callback, "install") else self.callbacks).append(callback)

    def start(self, epoch):
        """Takes the optimizer over, at the first epoch of the fit; savers have restored by then."""
        self._epoch_is_fresh = True
        for rate in self.rates:
            rate.begin_epoch()
        if self.started:
            return
        self.started = True
        model = self._model()
        self._has_warned = warn_of_keras_own(model, self._writing)
        step_callbacks = [c for c in self.callbacks if c.schedule is not None]
        base = next((c.schedule for c in step_callbacks if c.sets_base), None)
        factors = [c.schedule for c in step_callbacks if not c.sets_base]
        restored, clocks = self.memory.recall(model.optimizer, epoch, self._batches)
        if clocks is None:
            needed = bool(step_callbacks or self.hooks)
            clocks = [self._first_update(epoch, needed)] * len(leaves(model.optimizer))
        follows_metrics = any(c.follows_metrics for c in self.callbacks)
        for leaf, clock in zip(leaves(model.optimizer), clocks, strict=True):
            self.rates.append(OptimizerRate(leaf, base, factors, clock))
        installed = [rate.install(model, follows_metrics) for rate in self.rates]
        installed += [hook.install(rate) for hook in self.hooks for rate in self.rates]
        if restored:
            for rate in self.rates:
                rate.set(*self._dialled(self.callbacks))
        self.memory.begin(self.rates, epoch, restored)
        self._look_ahead(epoch)
        if any(installed) or any(rate.may_be_stale() for rate in self.rates):
            # What was traced before knows nothing of it.
            model.make_train_function(force=True)
        vars(model)["make_train_function"] = self._make_train_function

    def _look_ahead(self, epoch):
        """Has what will not work as it is meant warned about before the first update."""
        total = self.run.total_steps
        to_come = None if total is None else int(total - epoch * self.run.steps_per_epoch)
        if any(c.sets_base and c.follows_metrics for c in self.callbacks):
            # Which rates they are going to name is not known.
            return
        for rate in self.rates:
            warn_of_exhausted(rate, to_come)
        if to_come is None and any(c.schedule is not None for c in self.callbacks):
            return
        best = max(highest(rate, to_come) / rate.multiplier for rate in self.rates)
        for callback in self.callbacks:
            callback.foresee(best)

    def _make_train_function(self, force=False):
        # A `fit` that asks for it, and is the only one under way, comes after one that was
        # interrupted: `finish` would have taken this away. `train_on_batch` may ask as it likes.
        model = self._model()
        caller = sys._getframe(1)
        alone = caller.f_code.co_name == "fit" and fits_under_way(model) == [caller]
        if alone and not self.by_hand:
            self.finish()
        return type(model).make_train_function(model, force=force)

    def clocks_now(self):
        """Returns the t of the schedules at the next update by optimizer; after a fit, its last."""
        return [rate.clock() for rate in self.rates] or self.clocks

    def remember(self, callback, epoch):
        """Keeps the state of a callback that has decided what follows from `epoch` epochs."""
        self.memory.keep(callback, self.rates, epoch)

    def end_epoch(self, batch, epoch):
        """Sees to the clock after an epoch, of which `batch` was the last that Keras began."""
        if self.by_hand:
            return
        if self.counted_the_end(batch):
            for rate in self.rates:
                rate.forget_updates_beyond(batch)
        self._check_length(epoch)

    def counted_the_end(self, batch):
        """Tells, after an epoch, whether its last batch is counted as an update, and was none."""
        # Where the end of the data comes unforeseen, Keras begins a batch that there is not, and
        # TensorFlow's compiled step counts it as an update before it finds out.
        model = self._model()
        unforeseen = (self.params or {}).get("steps") is None and not model.stop_training
        unforeseen = unforeseen and not self.by_hand
        if unforeseen and keras.config.backend() == "tensorflow" and model.steps_per_execution == 1:
            return self.rates[0].counted_beyond(batch)
        return False

    def _check_length(self, epoch):
        """At the end of the first epoch, warns if it was not as long as the schedules' plan."""
        model, unplanned = self._model(), self.run.steps_per_epoch is None
        # A loss scale skips updates that overflow: fewer are no surprise.
        skips = hasattr(model.optimizer, "inner_optimizer")
        if self._length_is_checked or unplanned or model.stop_training or skips:
            return
        self._length_is_checked = True
        step_callbacks = [c for c in self.callbacks + self.hooks if c.schedule is not None]
        warn_of_another_length(step_callbacks, self.run, self.rates[0].updates_made(), epoch)

    def look_for_foreign_writes(self):
        """At the first batch of an epoch, when all have had their say, reads what rate there is."""
        if not self._epoch_is_fresh:
            return
        self._epoch_is_fresh = False
        self.adopt_foreign_writes()

    def adopt_foreign_writes(self):
        """Takes what somebody else has written as the base; returns whether anybody had."""
        foreign = [rate.name for rate in self.rates if rate.adopt_foreign_write()]
        if foreign and self._writing and not self._has_warned:
            warnings.warn(
                f"Somebody else writes the learning rate of {', '.join(foreign)} beside the "
                "callbacks of keras_lr, perhaps Keras' LearningRateScheduler or ReduceLROnPlateau. "
                "A number is the base from here on, and written over when a metric changes a "
                "factor; it has no effect under FitSchedule and RandomLearningRate, nor has "
                "another schedule in this fit.",
                stacklevel=2,
            )
        return bool(foreign)

    @property
    def _writing(self):
        return [c for c in self.callbacks if c.follows_metrics or c.schedule is not None]

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
        """Returns the smallest rate, at multiplier 1, that the next update would be made with."""
        return min(rate.at_next_update() / rate.multiplier for rate in self.rates)

    def base_rates(self):
        """Returns, by optimizer, the next rate without any factor of ours, at multiplier 1."""
        product = math.prod(c.state.factor for c in self.callbacks if c.follows_metrics)
        return [rate.before_factors(product) / rate.multiplier for rate in self.rates]

    def rewind(self, restore):
        """Has `restore` set weights or counters back; what counts now counts from there on."""
        self._take_notes()
        batches = [rate.batches_counted() for rate in self.rates]
        restore()
        for rate, before in zip(self.rates, batches):
            rate.ledger.rewind(rate.updates_done())
            rate.move_epoch(rate.batches_counted() - before)
        # Of the length of an epoch in which this happened, the counters tell nothing.
        self._length_is_checked = True
        self._take_notes()

    def _take_notes(self):
        for callback in self.callbacks:
            callback.take_note()

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
        if self.rates:
            self.clocks = self.clocks_now()
        model, traced = self._model(), False
        for rate in self.rates:
            if not rate.was_overwritten():
                rate.set(*self._dialled(staying))
            traced |= rate.remove()
            for hook in self.hooks:
                traced |= hook.remove(rate)
        self.rates, self.callbacks, self.hooks = [], [], []
        if model is None:
            return
        vars(model).pop("make_train_function", None)
        vars(model).pop(_PLACE, None)
        if traced:
            # The compiled step still has our functions in it; the next use builds a plain one.
            model.train_function = None


def end_interrupted_fit(model):
    """Gives a model's optimizer back if a `fit` that was interrupted has left it driven."""
    driver = vars(model).get(_PLACE)
    if driver is not None:
        driver.finish()
