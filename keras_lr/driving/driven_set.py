"""The optimizers that are driven in one fit, and what each of them is to do."""

import math

import keras

from keras_lr.driving import run_length
from keras_lr.driving.contribution import Total
from keras_lr.driving.driven_optimizer import DrivenOptimizer
from keras_lr.driving.driven_steps import DrivenSteps
from keras_lr.driving.logged_rates import RATE
from keras_lr.driving.watching import OptimizerWatch
from keras_lr.keras_private import training_step
from keras_lr.keras_private.building import build_optimizer
from keras_lr.keras_private.optimizers import accumulation, check_optimizer, leaves


class DrivenSet:
    """The optimizers of a model, and those that callbacks name, each with its callbacks.

    `callbacks` is the list of the driver, which grows while they join; `epochs` and `batches`, per
    epoch, are None where nobody knows; `counter` counts the batches of an epoch.
    """

    def __init__(self, callbacks, epochs, batches, counter):
        self._counter = counter
        self._callbacks, self._epochs, self._batches = callbacks, epochs, batches
        self._driven, self._own, self._beside = [], None, []
        self._watch = self._steps = self._compiled = None

    def __iter__(self):
        return iter(self._driven)

    def __len__(self):
        return len(self._driven)

    def __getitem__(self, index):
        return self._driven[index]

    # Which

    def find(self, model):
        """Returns the optimizers that are to be driven: those that hold a rate."""
        own = model.optimizer
        named = [c.optimizer for c in self._callbacks if c.drives_or_records] or [None]
        # Each once, in their order.
        return list({leaf: None for optimizer in named for leaf in leaves(optimizer or own)})

    def run_of(self, optimizer):
        """Returns the length of the run in updates of an optimizer."""
        return run_length.run_of(optimizer, self._epochs, self._batches)

    def are_those_of(self, model):
        """Tells whether they are still those of a model, and it was not compiled anew."""
        own = [id(driven.optimizer) for driven in self._driven]
        return own == [id(leaf) for leaf in self.find(model)]

    # Taken over and left

    def take_over(self, model, found, clocks, numbers=None, by_hand=False):
        """Drives what `find` has found.

        `clocks` are the t of their next updates, `numbers` what these are counted as.
        """
        self._own = model.optimizer
        self._is_by_hand, counter = by_hand, None if by_hand else self._counter
        self._steps, self._compiled = DrivenSteps.begin(model), None
        rows = zip(found, clocks, numbers or [None] * len(clocks), strict=True)
        self._driven = [
            DrivenOptimizer(optimizer, self._steps, clock, number, counter)
            for optimizer, clock, number in rows
        ]
        installed = [
            (index, c.install(d))
            for index, d in enumerate(self._driven)
            for c in self.callbacks_of(d)
        ]
        # A callback that has put nothing in, such as a recorder, needs no step of its own.
        self._beside = [(index, value) for index, value in installed if value is not False]
        self.apply(model)
        self._watch = OptimizerWatch(model, self._driven)

    def is_exchanged(self, model):
        """Tells whether there is another optimizer, or in one another rate, than was taken over."""
        is_other = self._watch is not None and self._watch.is_exchanged(model)
        return is_other or any(driven.has_other_rate() for driven in self._driven)

    def check_exchange(self, model, is_between_epochs):
        """Raises where what has taken the place of an optimizer, or its rate, cannot be driven."""
        if keras.config.backend() == "jax" and not is_between_epochs:
            raise ValueError(
                "On JAX another optimizer can be given to a model, and another schedule to an "
                "optimizer, between epochs only: in on_epoch_begin or on_epoch_end. Received: "
                f"{type(model.optimizer).__name__} in the middle of an epoch"
            )
        check_optimizer(model)

    def exchange(self, model):
        """Drives what has taken the place of an optimizer, or of its rate, on the same clock."""
        build_optimizer(model)
        before, found = self._driven, self.find(model)
        self.leave(model)
        # What was compiled belongs to the other one.
        training_step.forget(model)
        if len(before) == len(found):
            names = [driven.name for driven in before]
        else:
            # All go on with the clock of the first.
            before, names = before[:1] * len(found), [optimizer.name for optimizer in found]
        # The clock counts updates: it goes on at the same batch, however many make an update now.
        clocks = [
            old.clock() * accumulation(old.optimizer) // accumulation(new)
            for old, new in zip(before, found)
        ]
        numbers = [old.updates_done() for old in before]
        self.take_over(model, found, clocks, numbers, self._is_by_hand)
        for driven, name in zip(self._driven, names):
            # In records and logs it is the same place.
            driven.name = name

    def check(self, model, drives):
        """Raises, after an epoch with batches in it, if another optimizer has updated the weights.

        Only warns if they are recorded, but not driven.
        """
        self._watch.check(model, drives)

    def leave(self, model):
        """Takes all that is driven out of the optimizers; reductions by metrics stay."""
        for driven in self._driven:
            staying = self._staying(driven)
            driven.leave(staying.scale, staying.level)
            driven.remove()
            for callback in self.callbacks_of(driven):
                callback.remove(driven)
        if self._steps is not None and model is not None:
            self._steps.give_back(model)
        self._driven, self._steps = [], None

    def free_those_compiled_before(self, model):
        """Drops the steps of other models that know nothing of the rates; returns the models."""
        return self._steps.free_those_compiled_before(model)

    # Their callbacks

    def drives_something(self):
        """Tells whether a callback changes a rate, and does not only record it."""
        return any(c.follows_metrics or c.schedule is not None for c in self._callbacks)

    def record_updates(self, without_last=0):
        """Has every callback that keeps a record note the updates made so far."""
        for callback in self._callbacks:
            callback.record_updates(without_last)

    def begin_record(self):
        """Has every callback that keeps a record go on from here."""
        for callback in self._callbacks:
            callback.begin_record()

    def callbacks_of(self, driven):
        """Returns the callbacks that have a say in the rate of one optimizer."""
        return [c for c in self._callbacks if driven.optimizer in leaves(c.optimizer or self._own)]

    def driven_by(self, callback):
        """Returns the optimizers that a callback drives; all if none was found."""
        return [d for d in self._driven if callback in self.callbacks_of(d)] or self._driven

    def _total(self, driven, callbacks=None):
        callbacks = self.callbacks_of(driven) if callbacks is None else callbacks
        run = self.run_of(driven.optimizer)
        return Total.of([c.contribution_to(driven.optimizer, run) for c in callbacks])

    def _staying(self, driven):
        """Returns the total of those callbacks whose part stays after the fit."""
        together = self.callbacks_of(driven)
        return self._total(driven, [c for c in together if not c.restores_initial])

    def apply(self, model):
        """Hands every optimizer its total; a step with other functions in it is exchanged."""
        totals = [self._total(driven) for driven in self._driven]
        compiled = [(total.base, total.factors) for total in totals]
        if compiled != self._compiled:
            self._compiled = compiled
            rates = [d.rate_in_step(*parts) for d, parts in zip(self._driven, compiled)]
            rates = self._steps.use(model, rates, self._beside)
            for driven, rate in zip(self._driven, rates):
                driven.put_in(rate)
        for driven, total in zip(self._driven, totals):
            driven.set(total.scale, total.level)

    def adopt_foreign_writes(self):
        """Takes rates that somebody else has written as the base; returns whose they were."""
        others = [d for d in self._driven if d.was_overwritten()]
        return [d.name for d in others if d.adopt_foreign_write(self._staying(d).scale)]

    # Their rates

    def next_rate(self, callback):
        """Returns the smallest rate, at multiplier 1, of the next update that a callback drives."""
        return min(d.at_next_update() / d.multiplier for d in self.driven_by(callback))

    def base_rates(self, callback):
        """Returns, by optimizer, the next rate without any factor of ours, at multiplier 1."""
        rates = []
        for driven in self.driven_by(callback):
            together = self.callbacks_of(driven)
            factors = [c.contribution.factor for c in together if c.follows_metrics]
            rates.append(driven.without_factors(math.prod(factors)) / driven.multiplier)
        return rates

    def log_name(self, driven):
        """Returns the name of one optimizer's rate in the logs."""
        return RATE if len(self) == 1 else f"{RATE}_{driven.name}"

    def in_logs(self, without_last=0):
        """Returns the rate of each optimizer's last update, by its name in the logs, and the whole.

        That is the highest of them, at multiplier 1. The last few batches are not counted. NaN
        where none was made in this fit: nobody applied a rate.
        """
        rates = [d.last_applied(without_last) for d in self._driven]
        wholes = [rate / (d.multiplier or 1.0) for d, rate in zip(self._driven, rates)]
        named = {self.log_name(d): rate for d, rate in zip(self._driven, rates)}
        return named, max(wholes, default=math.nan)
