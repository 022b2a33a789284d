"""The driver: one for all of our callbacks in a fit; multiplies base and factors.

    applied rate at update t = base(t) × factor₁ × factor₂ × …

How that reaches an optimizer is in driven_optimizer.py; README.md is the walk through this folder.
"""

import math
import warnings
import weakref

from keras_lr.driving import preflight
from keras_lr.driving.contribution import Total
from keras_lr.driving.driven_optimizer import DrivenOptimizer
from keras_lr.driving.events import Event
from keras_lr.driving.saved_state import SavedState
from keras_lr.keras_private import training_step
from keras_lr.keras_private.batch_counter import BatchCounter
from keras_lr.keras_private.fit_call import FitCall
from keras_lr.keras_private.optimizers import (
    accumulation,
    check_optimizer,
    leaves,
    may_skip_updates,
)
from keras_lr.keras_private.overrides import Overrides
from keras_lr.schedules.durations import Run


class Driver:
    """The rates of one model during one `fit`, shared by all of our callbacks in it."""

    def __init__(self, model, params, batches=None):
        check_optimizer(model)
        self._model = weakref.ref(model)
        self.params, self.by_hand, self.started = params, False, False
        self.callbacks, self.driven, self.events = [], [], []
        # Those that the counters of the optimizers have too many, after an epoch.
        self.batches, self.batches_without_data = BatchCounter(), 0
        self.saved = SavedState(self.callbacks)
        self._preflight = preflight.Preflight(model)
        self._overrides = Overrides()
        self._batches_per_epoch, self._last_clocks = batches, []
        self._undone_epoch, self._ended_epoch = None, None
        self._may_check_length = True
        epochs = (params or {}).get("epochs") or None
        per_epoch = batches / accumulation(leaves(model.optimizer)[0]) if batches else None
        self.run = Run(epochs, per_epoch)

    def put_on(self, model, place):
        """Notes this driver on its model, until `finish`."""
        self._overrides.put(model, place, self)

    def drives(self, model):
        """Tells whether the optimizer is still the one that this drives, and not compiled anew."""
        mine = [driven.optimizer for driven in self.driven]
        return [id(leaf) for leaf in leaves(model.optimizer)] == [id(leaf) for leaf in mine]

    def give_back_callbacks(self):
        """Takes all callbacks off, before the first update, to be attached with another one."""
        if any(driven.updates_made() for driven in self.driven):
            raise ValueError(
                "All callbacks of a loop must be attached before its first update: "
                f"{self.callbacks[0].owner} is under way. Call `detach()` to begin anew."
            )
        together = list(self.callbacks)
        self.saved.give_back()
        # Nothing was applied yet: nothing stays.
        self.callbacks = []
        self.finish()
        return together

    # The course of a fit

    def join(self, callback):
        """Adds a callback; raises if it cannot work with those that are there."""
        if any(other is callback for other in self.callbacks):
            # `on_train_begin` was called once more by hand, before the first epoch, or:
            self._preflight.check(self.callbacks, self.run)
            return
        self._preflight.check([*self.callbacks, callback], self.run)
        self.saved.open(callback)
        self.callbacks.append(callback)

    def begin_epoch(self, epoch):
        """Takes the optimizer over, at the first epoch of the fit; savers have restored by then."""
        self._is_at_first_batch = True
        self.batches.begin_epoch()
        for driven in self.driven:
            driven.begin_epoch()
        if not self.started:
            self.started = True
            self._start(epoch)

    def _start(self, epoch):
        model, optimizers = self._model(), leaves(self._model().optimizer)
        restored, clocks = self.saved.recall(model.optimizer, epoch, self._batches_per_epoch)
        clocks = clocks or [self._first_update(epoch)] * len(optimizers)
        self.driven = [DrivenOptimizer(*pair) for pair in zip(optimizers, clocks, strict=True)]
        self._compiled = None
        installed = [self._apply(self._total())]
        installed += [c.install(driven) for c in self.callbacks for driven in self.driven]
        self.saved.begin(self.driven, epoch, restored)
        self._preflight.check(self.callbacks, self.run, self.driven, epoch)
        if any(installed) or any(driven.may_be_stale() for driven in self.driven):
            # The step that was compiled before does not have it.
            training_step.rebuild(model)
        # An interrupted fit has not called `finish`: the next one does.
        training_step.call_before_next_fit(self._overrides, model, self._finish_unless_attached)

    def _first_update(self, epoch):
        needed = any(callback.schedule is not None for callback in self.callbacks)
        if epoch == 0 or not needed:
            return 0
        if self.run.steps_per_epoch is None:
            raise ValueError(
                "The clock of a fit that starts at a later epoch needs the number of batches per "
                f"epoch: give fit(steps_per_epoch=…). Received: initial_epoch={epoch}"
            )
        return int(epoch * self.run.steps_per_epoch)

    def _finish_unless_attached(self):
        if not self.by_hand:
            self.finish()

    def begin_batch(self, batch):
        """Sees, at the first batch of an epoch, what rate others have written before it."""
        self.batches.begin(batch)
        if self._is_at_first_batch:
            self._is_at_first_batch = False
            self.adopt_foreign_writes()

    def end_epoch(self, epoch):
        """Puts the clock right after an epoch of `fit`; does it once, whoever asks first."""
        if self.by_hand or self._ended_epoch == epoch:
            return
        model, self._ended_epoch = self._model(), epoch
        is_fit = FitCall.of(model) is not None
        self.batches_without_data = int(is_fit and self.batches.counts_a_batch_too_many(model))
        if self.batches_without_data and self._drives_something():
            self.batches.take_back_what_was_no_batch(model)
            self.batches_without_data = 0
        self._check_length(epoch)

    def _drives_something(self):
        return any(c.follows_metrics or c.schedule is not None for c in self.callbacks)

    def _check_length(self, epoch):
        """At the end of the first epoch, warns if it was not as long as the schedules' plan."""
        model, is_planned = self._model(), self.run.steps_per_epoch is not None
        if self._may_check_length and is_planned and not model.stop_training:
            self._may_check_length = False
            if not may_skip_updates(model.optimizer):
                made = self.driven[0].updates_made()
                self._preflight.check(self.callbacks, self.run, self.driven, epoch, made)

    def decided(self, callback, epoch):
        """Keeps all states of the moment after `epoch` epochs, when the last one is decided."""
        if callback is self.saved.last:
            self.saved.keep(self.driven, epoch)

    def finish(self):
        """Gives the optimizer back: step functions go, metric reductions stay where they may."""
        staying = self._total([c for c in self.callbacks if not c.restores_initial])
        if self.driven:
            self._last_clocks = self.clocks()
        model, was_driven = self._model(), False
        for driven in self.driven:
            if not driven.was_overwritten():
                driven.set(staying.scale, staying.level)
            was_driven |= driven.remove()
            for callback in self.callbacks:
                was_driven |= callback.remove(driven)
        # New lists: a backup still asks for the states of those who were there.
        self.driven, self.callbacks = [], []
        self._overrides.take_off()
        if was_driven and model is not None:
            # The compiled step still has our functions in it; the next use builds a plain one.
            training_step.forget(model)
        self.saved.close()

    # Decisions

    def _total(self, callbacks=None):
        callbacks = self.callbacks if callbacks is None else callbacks
        return Total.of([callback.contribution for callback in callbacks])

    def update(self, epoch, cause, reason):
        """Applies what all callbacks contribute now, from the next update on."""
        before = [driven.at_next_update() for driven in self.driven]
        needs_rebuild = self._apply(self._total())
        for driven, rate in zip(self.driven, before):
            now = driven.at_next_update()
            if now != rate:
                done, name = driven.updates_done(), type(cause).__name__
                self.events.append(Event(epoch, done, name, driven.name, rate, now, reason))
        if needs_rebuild:
            training_step.rebuild(self._model())

    def _apply(self, total):
        """Hands a total to every optimizer; returns whether the step must be rebuilt."""
        follows_metrics = any(callback.follows_metrics for callback in self.callbacks)
        compiled, needs_rebuild = (total.base, total.factors), False
        for driven in self.driven:
            if compiled != self._compiled:
                needs_rebuild |= driven.compile(self._model(), *compiled, follows_metrics)
            needs_rebuild |= driven.set(total.scale, total.level)
        self._compiled = compiled
        return needs_rebuild

    def adopt_foreign_writes(self):
        """Takes what somebody else has written as the base; returns whether anybody had."""
        foreign = [driven.name for driven in self.driven if driven.adopt_foreign_write()]
        if foreign and self._drives_something() and not self._preflight.has_named_a_writer:
            warnings.warn(
                f"Somebody else writes the learning rate of {', '.join(foreign)} beside the "
                "callbacks of keras_lr, perhaps Keras' LearningRateScheduler or ReduceLROnPlateau. "
                "A number is the base from here on, and written over when a metric changes a "
                "factor; it has no effect under FitSchedule and RandomLearningRate, nor has "
                "another schedule in this fit.",
                stacklevel=2,
            )
        return bool(foreign)

    def next_rate(self):
        """Returns the smallest rate, at multiplier 1, that the next update would be made with."""
        return min(driven.at_next_update() / driven.multiplier for driven in self.driven)

    def base_rates(self):
        """Returns, by optimizer, the next rate without any factor of ours, at multiplier 1."""
        factors = [c.contribution.factor for c in self.callbacks if c.follows_metrics]
        product = math.prod(factors)
        return [driven.without_factors(product) / driven.multiplier for driven in self.driven]

    def rates_in_logs(self):
        """Returns the rate of each optimizer's last update, by its name in the logs."""
        return {self.log_name(driven): driven.last_applied() for driven in self.driven}

    def log_name(self, driven):
        """Returns the name of one optimizer's rate in the logs."""
        return "learning_rate" if len(self.driven) == 1 else f"learning_rate_{driven.name}"

    def clocks(self):
        """Returns the t of the schedules at the next update by optimizer; after a fit, its last."""
        return [driven.clock() for driven in self.driven] or self._last_clocks

    # Back in time

    def rewind(self, restore):
        """Has `restore` set weights and counters back; what counts now counts from there on."""
        self._record_updates()
        restore()
        for driven in self.driven:
            driven.rewind()
        # Of the length of an epoch in which this happened, the counters tell nothing.
        self._may_check_length = False
        self._record_updates()

    def _record_updates(self):
        for callback in self.callbacks:
            callback.record_updates()

    def decisions(self):
        """Returns what `undo_decisions` needs to take back those that come from here on."""
        return {callback: callback.checkpoint() for callback in self.callbacks}

    def undo_decisions(self, decisions, cause, epoch=None):
        """Has every callback but `cause` forget what it has decided since `decisions` were noted.

        With the number of an epoch that has ended, those still to come do not decide on it.
        """
        for callback, checkpoint in decisions.items():
            if callback is not cause:
                callback.go_back(checkpoint)
        if epoch is not None:
            self._undone_epoch = epoch

    def is_undone(self, epoch):
        """Tells whether the end of this epoch is not to be decided on."""
        return epoch == self._undone_epoch
