"""The driver: one for all of our callbacks in a fit; multiplies base and factors.

    applied rate at update t = base(t) × factor₁ × factor₂ × …

How that reaches an optimizer is in driven_optimizer.py; README.md is the walk through this folder.
"""

import weakref

from keras_lr.diagnosis.plan_rules import is_another_length
from keras_lr.driving import preflight
from keras_lr.driving.beginning import first_update, left_off
from keras_lr.driving.driven_set import DrivenSet
from keras_lr.driving.events import Event
from keras_lr.driving.logged_rates import LoggedRates
from keras_lr.driving.others import Others
from keras_lr.driving.saved_state import SavedState
from keras_lr.keras_private import training_step
from keras_lr.keras_private.batch_counter import BatchCounter
from keras_lr.keras_private.fit_call import FitCall
from keras_lr.keras_private.optimizers import (
    check_is_in_step,
    check_optimizer,
    leaves,
    may_skip_updates,
)
from keras_lr.keras_private.overrides import Overrides

PLACE = "_keras_lr_driver"
"""Where models and optimizers hold their driver."""


class Driver:
    """The rates of one model during one `fit`, shared by all of our callbacks in it."""

    def __init__(self, model, params, batches=None, optimizer=None):
        check_optimizer(model, optimizer)
        self._model = weakref.ref(model)
        self.params, self.by_hand, self.started = params, False, False
        self.callbacks, self.events = [], []
        # Those that the counters of the optimizers have too many, after an epoch.
        self.batches, self.batches_without_data = BatchCounter(), 0
        self.saved = SavedState(self.callbacks)
        self.preflight = preflight.Preflight(model)
        self._overrides, self.others = Overrides(), Others(self, self._model)
        self._batches_per_epoch, self._last_clocks = batches, []
        self._undone_epoch, self._ended_epoch, self._is_first_epoch = None, None, True
        self._may_check_length, self.is_in_fit = True, False
        # Of the run that this fit goes on with: those of the fits before it, and of this one, too.
        self.epochs_before = self._epochs_done = 0
        self._logged, self._begun_epoch = LoggedRates(), None
        epochs = (params or {}).get("epochs")
        # A fit of no epochs applies no plan; to be made, plans need a length.
        epochs = 1 if epochs == 0 else epochs
        self.driven = DrivenSet(self.callbacks, epochs, batches, self.batches)
        self.run = self.driven.run_of(leaves(optimizer or model.optimizer)[0])

    def put_on(self, owner):
        """Notes this driver on a model or an optimizer, until `finish`."""
        self._overrides.put(owner, PLACE, self)

    @property
    def is_under_way(self):
        """Tells whether the fit or loop goes on, and was not interrupted."""
        return self.by_hand or not self.is_in_fit or FitCall.of(self._model()) is not None

    def drives(self, model):
        """Tells whether the optimizer is still the one that this drives, and not compiled anew."""
        return self.driven.are_those_of(model)

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
        self.callbacks.clear()
        self.finish()
        return together

    # The course of a fit

    def join(self, callback):
        """Adds a callback; raises if it cannot work with those that are there."""
        if any(other is callback for other in self.callbacks):
            # `on_train_begin` was called once more by hand, before the first epoch, or:
            self.preflight.check(self.callbacks, self.run)
            return
        check_optimizer(self._model(), callback.optimizer)
        self.preflight.check([*self.callbacks, callback], self.run)
        self.saved.open(callback)
        self.callbacks.append(callback)

    def begin_epoch(self, epoch):
        """Takes the optimizer over, at the first epoch of the fit; savers have restored by then."""
        if self._begun_epoch != epoch:
            self._begun_epoch = epoch
            for callback in self.callbacks:
                callback.change_model(epoch)
        self.others.see()
        self._is_at_first_batch = self.is_between_epochs = True
        self.batches.begin_epoch()
        self.epoch, self.batches_without_data = epoch, 0
        for driven in self.driven:
            driven.begin_epoch()
        if not self.started:
            self._start(epoch)
            self.started = True

    def _start(self, epoch):
        model = self._model()
        optimizers = self.driven.find(model)
        self.is_in_fit = FitCall.of(model) is not None
        if self.is_in_fit and self.driven.drives_something():
            check_is_in_step(model, optimizers)
        restored, clocks = self.saved.recall(optimizers, epoch, self._batches_per_epoch)
        self._epochs_done = epoch
        before = left_off(self.callbacks)
        if before is not None:
            self.epochs_before = before["epoch"] - epoch
            # Another number of optimizers goes on with the clock of the first.
            then = before["clocks"]
            clocks = then if len(then) == len(optimizers) else then[:1] * len(optimizers)
        for callback in self.callbacks:
            callback.before_first_update(epoch)
        if not clocks:
            is_planned = any(callback.schedule is not None for callback in self.callbacks)
            clocks = [
                first_update(epoch, self.driven.run_of(optimizer)) if is_planned else 0
                for optimizer in optimizers
            ]
        self.driven.take_over(model, optimizers, clocks, by_hand=self.by_hand)
        self.others.watch()
        self.saved.begin(self.driven, epoch, restored)
        self.preflight.check(self.callbacks, self.run, self.driven, epoch)
        for optimizer in optimizers:
            self.put_on(optimizer)
        if self.is_in_fit:
            # An interrupted fit has not called `finish`: who trains next does.
            training_step.call_after_fit(self._overrides, model, self.finish)

    def position(self):
        """Returns how many epochs of the run are done, and the clocks, ready for JSON."""
        return {"epoch": self._epochs_done + self.epochs_before, "clocks": self.clocks()}

    def begin_batch(self, batch):
        """Sees what others have done to rates and counters since the last batch."""
        if self.driven.is_exchanged(self._model()):
            self.others.follow_exchange(self.others.begun_since_checked(batch))
        self.batches.begin(batch)
        if self._is_at_first_batch:
            self._is_at_first_batch = self.is_between_epochs = False
            self.others.begin_batches()
            self.others.adopt()
            self.driven.begin_record()

    def follow_exchange(self):
        """Notes that others are driven now, in the midst of an epoch or between two."""
        self._may_check_length &= self.is_between_epochs
        self.saved.follow(self.driven)

    def end_batch(self, batch):
        """Counts a batch that has ended, when the first callback tells of it."""
        if self.batches.ended <= batch:
            self.batches.end(batch)
            self.others.end_batch(batch)

    def end_epoch(self, epoch):
        """Puts the clock right after an epoch of `fit`; does it once, whoever asks first."""
        self._epochs_done = epoch + 1
        if self.by_hand:
            self._logged.note(*self.driven.in_logs())
        elif self._ended_epoch == epoch:
            self.others.see()
        else:
            self._ended_epoch, self.is_between_epochs = epoch, True
            self._end_epoch_of_fit(epoch)

    def log_rates(self, logs):
        """Puts the applied rates of the epoch that has ended into its logs."""
        history = getattr(self._model(), "history", None)
        self._logged.put_into(logs, self._epochs_done - 1, history)

    def _end_epoch_of_fit(self, epoch):
        model = self._model()
        is_fit = FitCall.of(model) is not None
        self.batches_without_data = int(is_fit and self.batches.counts_a_batch_too_many(model))
        if self.batches_without_data and self.driven.drives_something():
            self.batches.take_back_what_was_no_batch(model)
            self.batches_without_data = 0
        if self._is_first_epoch and self.batches.ended:
            self._is_first_epoch = False
            if any(callback.drives_or_records for callback in self.callbacks):
                self.driven.check(model, self.driven.drives_something())
        self.batches.end_epoch()
        self._check_length(epoch)
        self.others.end_epoch()
        # Before anybody decides: later the clock may have been set back.
        fewer = self.batches_without_data
        self._logged.note(*self.driven.in_logs(fewer))
        self.others.adopt()

    def _check_length(self, epoch):
        """At the end of the first epoch, warns if it was not as long as the schedules' plan."""
        model, is_planned = self._model(), self.run.steps_per_epoch is not None
        if self._may_check_length and is_planned and not model.stop_training:
            self._may_check_length = False
            if not may_skip_updates(model.optimizer):
                made = self.driven[0].updates_made()
                if not is_another_length(self.run.steps_per_epoch, made):
                    return
                self.preflight.check(self.callbacks, self.run, self.driven, epoch, made)

    def decided(self, callback, epoch):
        """Keeps all states of the moment after `epoch` epochs, when the last one is decided."""
        if callback is self.saved.last:
            self.saved.keep(self.driven, epoch)

    def end(self):
        """Ends a fit that was not interrupted: all have their last word, whoever is told first."""
        for callback in self.callbacks if len(self.driven) else ():
            callback.after_last_update()
        self.finish()

    def finish(self):
        """Gives the optimizer back: step functions go, metric reductions stay where they may."""
        if len(self.driven):
            self._last_clocks = self.clocks()
        # First, as giving back may build a step.
        self._overrides.take_off()
        self.others.leave()
        self.driven.leave(self._model())
        # A new list: a backup still asks for the states of those who were there.
        self.callbacks = []
        self.saved.close()

    # Decisions

    def update(self, epoch, cause, reason):
        """Applies what all callbacks contribute now, from the next update on."""
        before = [driven.at_next_update() for driven in self.driven]
        self.driven.apply(self._model())
        for driven, rate in zip(self.driven, before):
            now = driven.at_next_update()
            if now != rate:
                done, name = driven.updates_done(), type(cause).__name__
                self.events.append(Event(epoch, done, name, driven.name, rate, now, reason))

    def next_rate(self, callback):
        """Returns the smallest rate, at multiplier 1, of the next update that a callback drives."""
        return self.driven.next_rate(callback)

    def clocks(self):
        """Returns the t of the schedules at the next update by optimizer; after a fit, its last."""
        return [driven.clock() for driven in self.driven] or self._last_clocks

    # Back in time

    def go_back(self, epoch, cause, restore, reason):
        """Goes back by `restore` when no update follows, as an event whatever the rates are."""
        before, name = [driven.at_next_update() for driven in self.driven], type(cause).__name__
        self.rewind(restore)
        for driven, rate in zip(self.driven, before):
            done, now = driven.updates_done(), driven.at_next_update()
            self.events.append(Event(epoch, done, name, driven.name, rate, now, reason))

    def rewind(self, restore):
        """Has `restore` set weights and counters back; what counts now counts from there on."""
        self.driven.record_updates(self.batches_without_data)
        self.others.expecting(restore)
        for driven in self.driven:
            driven.rewind()
        # Of the length of an epoch in which this happened, the counters tell nothing.
        self._may_check_length = False
        self.driven.begin_record()

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
