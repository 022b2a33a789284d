"""What somebody else does to rates and counters while they are driven: seen, and recorded."""

import math
import warnings

from keras_lr.driving.events import Event
from keras_lr.keras_private.host_writes import watch_counter, watch_rate
from keras_lr.keras_private.overrides import Overrides

NAME = "somebody else"
"""Who changed it, in events."""
_UNSEEN = "a training step, or something else that cannot be seen, wrote the rate"


class Others:
    """Watches the driven optimizers of one fit for numbers, schedules and counters of others.

    A number is noted where it is written, and is the base from the end of the epoch on. Where it
    cannot be seen, the rates of the epoch are recorded as not known. Another schedule, or another
    object as the rate, is an optimizer exchanged.
    """

    def __init__(self, driver, model):
        self._driver, self._model = driver, model
        self._overrides, self._left_at, self._is_setting = Overrides(), {}, False
        # How often something was taken as the base.
        self.adoptions = 0
        # Whether batches are under way; and the last one after which nothing was exchanged.
        self._in_batches, self._checked = False, -1
        # Of how many updates beside those of the batches it is known whose they are.
        self._known_beside = {0}

    def watch(self):
        """Watches the optimizers that are driven now."""
        self.leave()
        for driven in self._driver.driven:
            self._watch(driven)

    def _watch(self, driven):
        def write_in_step():
            if self._may_be_in_step:
                driven.is_written_in_step = True

        def set_counter(write, count):
            self._set_counter(driven, write, count)

        put = self._overrides, self._model, driven.optimizer
        watch_rate(*put, driven.note_foreign_write, write_in_step)
        watch_counter(*put, set_counter)

    def leave(self):
        """Watches no longer."""
        self._overrides.take_off()

    @property
    def _may_be_in_step(self):
        # Between epochs a trial may use the optimizer, and puts everything back.
        return self._in_batches or self._driver.by_hand

    # Counters

    def _set_counter(self, driven, write, count):
        """Sets the counter of an optimizer by `write()`, with the updates before it recorded."""
        # A loop of one's own on JAX counts so: it writes back what its step has returned.
        is_counting = not self._driver.is_in_fit and count >= driven.batches_counted()
        if self._is_setting or is_counting or not self._may_be_in_step:
            write()
            return
        before = driven.updates_done()
        self.expecting(lambda: self._driver.rewind(write))
        self._tell_of_counter(driven, before)

    def expecting(self, action):
        """Does what sets counters, and is no surprise."""
        within, self._is_setting = self._is_setting, True
        try:
            action()
        finally:
            self._is_setting = within
        self._left_at = self._counters()

    def _counters(self):
        return {driven: driven.updates_done() for driven in self._driver.driven}

    def begin_batches(self):
        """Called before the first batch of an epoch: sees counters that were set back before it."""
        self._in_batches, self._checked = True, -1
        for driven in self._driver.driven:
            before = self._left_at.get(driven, 0)
            is_back = driven.updates_done() < before
            # Notes of what a trial wrote, and took back, are gone with this.
            driven.rewind()
            if is_back:
                self._tell_of_counter(driven, before)

    def _tell_of_counter(self, driven, before):
        now = driven.updates_done()
        if now != before:
            rates = driven.rate_of(before), driven.rate_of(now)
            reason = f"the counter of updates was set from {before} to {now}"
            self._note(driven, now, *rates, reason)

    # Numbers and schedules

    def end_batch(self, batch):
        """Called after a batch, perhaps in another thread."""
        if not self._driver.driven.is_exchanged(self._model()):
            self._checked = batch

    def see(self):
        """Before a callback decides: what others did since the one before is what it decides on."""
        driven_set = self._driver.driven
        is_noted = any(driven.foreign is not None for driven in driven_set)
        if is_noted or driven_set.is_exchanged(self._model()):
            self.adopt()

    def adopt(self):
        """Takes numbers and schedules that somebody else has written as the base."""
        driver, foreign = self._driver, []
        if driver.driven.is_exchanged(self._model()):
            foreign = [driven.name for driven in driver.driven if driven.has_other_rate()]
            self.follow_exchange()
        foreign += driver.driven.adopt_foreign_writes()
        if foreign and driver.driven.drives_something() and not driver.preflight.has_named_a_writer:
            warnings.warn(
                f"Somebody else writes the learning rate of {', '.join(foreign)} beside the "
                "callbacks of keras_lr, perhaps Keras' LearningRateScheduler or ReduceLROnPlateau. "
                "A number, or a schedule, is the base from here on, and is multiplied when a "
                "metric changes a factor; it has no effect under FitSchedule and "
                "RandomLearningRate.",
                stacklevel=2,
            )
        self.adoptions += bool(foreign)

    def follow_exchange(self, begun=0):
        """Drives what has taken the place of an optimizer or its rate; `begun` batches since then.

        Whether these were made with the old rate or the new one, nobody knows.
        """
        driver = self._driver
        driver.driven.check_exchange(self._model(), driver.is_between_epochs)
        for driven in driver.driven if begun else ():
            self._doubt(driven, "another rate was assigned in the midst of a batch", begun)
        driver.driven.record_updates(driver.batches_without_data)
        before = [driven.at_next_update() for driven in driver.driven]
        is_schedule = any(driven.has_other_rate() for driven in driver.driven)
        driver.driven.exchange(self._model())
        self.watch()
        driver.driven.begin_record()
        driver.follow_exchange()
        if is_schedule:
            for driven, rate in zip(driver.driven, before):
                now = driven.updates_done(), rate, driven.at_next_update()
                self._note(driven, *now, "another learning_rate was assigned")

    def begun_since_checked(self, batch):
        """Returns how many batches before this one may have been made with another rate."""
        last = self._driver.batches.last_begun
        return batch - last if last > self._checked else 0

    def end_epoch(self):
        """Called at the end of an epoch, before anything is decided."""
        self._in_batches = False
        self._see_other_models()
        for driven in self._driver.driven:
            if driven.was_written_unseen():
                self._doubt(driven, _UNSEEN)
        self._left_at = self._counters()

    def _see_other_models(self):
        """Sees whether another model has trained with a step that was compiled before this fit."""
        driver = self._driver
        made = driver.batches.ended + driver.batches_without_data
        beside = {driven: driven.counted_elsewhere(made) for driven in driver.driven}
        if not driver.is_in_fit or self._known_beside.issuperset(beside.values()):
            return
        found = driver.driven.free_those_compiled_before(self._model())
        if not found:
            # A step that updates more than once in a batch, or a step that has our rates in it.
            self._known_beside.update(beside.values())
            return
        names = ", ".join(sorted(model.name for model in found))
        warnings.warn(
            f"{names} has trained with the optimizer of {self._model().name} in the midst of its "
            "fit, in a training step that was compiled before: not at the rate that is driven. "
            "The rates of this epoch are recorded as not known; from here on the step is compiled "
            "with them. Give each model an optimizer of its own, or compile the other one anew "
            "before the fit.",
            stacklevel=2,
        )
        for driven, more in beside.items():
            if more:
                self._doubt(driven, f"{names} trained with a step that was compiled before")

    def _doubt(self, driven, reason, without_last=None):
        begin = driven.doubt(without_last)
        if begin is not None:
            before = driven.rate_of(begin - 1)
            self._note(driven, begin, before, math.nan, f"not known: {reason}")

    def _note(self, driven, update, before, after, reason):
        driver = self._driver
        event = Event(driver.epoch, update, NAME, driven.name, before, after, reason)
        driver.events.append(event)
