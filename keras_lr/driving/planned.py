"""A fit that has not begun: what would be driven in it, with nothing touched and nothing built."""

from typing import NamedTuple

import numpy as np

from keras_lr.diagnosis.plan import SchedulePlan
from keras_lr.driving import run_length
from keras_lr.driving.contribution import Contribution, Total
from keras_lr.driving.driven_optimizer import DrivenOptimizer
from keras_lr.keras_private.optimizers import (
    accumulation,
    check_rate,
    has_schedule,
    leaves,
    own_rate,
)
from keras_lr.schedules import Schedule
from keras_lr.schedules.coerce import as_schedule, is_fixed

_POINTS = 2000
# A schedule without an end is looked at for so many times the length of the fit.
_BEYOND = 10
# What climbs at fewer different rates may be drawn by chance.
_CLIMB = 5


class Length(NamedTuple):
    """A fit in epochs and batches per epoch, and the epoch that it begins at; None is not known."""

    epochs: int | None = None
    batches: int | None = None
    first_epoch: int = 0

    def run_of(self, optimizer):
        """Returns the length of the run in updates of an optimizer."""
        return run_length.run_of(optimizer, self.epochs, self.batches)

    def updates(self, optimizer):
        """Returns the number of updates before this fit, and with it; None is not known."""
        run = self.run_of(optimizer)
        before = 0 if not self.first_epoch else None
        if self.first_epoch and run.steps_per_epoch is not None:
            before = int(self.first_epoch * run.steps_per_epoch)
        return before, run.total_steps


class PlannedFit:
    """The optimizers of a fit, each with what callbacks of ours would have a say in.

    `driven` are made as in a fit, and only read. `refusals` has, by callback, why it cannot be in
    this fit, `writers` are those that change a rate, and `searches` has the updates that one makes
    before the first of the fit.
    """

    def __init__(self, model, ours, length):
        self.driven, self.schedules = [], []
        self.refusals, self.writers, self.searches = {}, set(), {}
        self._model, self._ours, self._length = model, ours, length
        named = [c.optimizer for c in ours if c.optimizer is not None]
        for leaf in dict.fromkeys(o for each in (model.optimizer, *named) for o in leaves(each)):
            self._add(leaf)

    def _add(self, optimizer):
        run = self._length.run_of(optimizer)
        together = [
            c for c in self._ours if optimizer in leaves(c.optimizer or self._model.optimizer)
        ]
        try:
            check_rate(optimizer)
        except (ValueError, RuntimeError) as error:
            self.refusals |= {c: str(error) for c in together}
            return
        said = {c: self._contribution(c, run) for c in together}
        known = [c for c in said.values() if c is not None]
        before, _ = self._length.updates(optimizer)
        going_on = next((c.left_off for c in together if c.across_fits and c.left_off), None)
        clock = going_on["clocks"][0] if going_on else before or 0
        driven = DrivenOptimizer(optimizer, None, clock)
        total = Total.of(known)
        driven.multiply(total.base, total.factors)
        self.driven.append(driven)
        self.schedules += self._in_force(driven, said)

    def _contribution(self, callback, run):
        if run.total_steps is not None:
            self.searches[callback] = callback.extra_updates(run.total_steps)
        try:
            said = callback.planned_contribution(run)
        except ValueError as error:
            if run.total_steps is not None:
                self.refusals[callback] = " ".join([str(error), *getattr(error, "__notes__", [])])
            self.writers.add(callback)
            return None
        if said != Contribution():
            self.writers.add(callback)
        return said

    def _in_force(self, driven, said):
        """Yields the plans of an optimizer's own schedule and of those of callbacks."""
        optimizer, owners = driven.optimizer, list(said)
        if has_schedule(optimizer) and not any(c.sets_base for c in owners):
            own = as_schedule("learning_rate", own_rate(optimizer))
            yield from self._own(driven, own)
        before, end = driven.clock(), self._length.updates(optimizer)[1]
        for callback, contribution in said.items():
            for part in contribution or ():
                if isinstance(part, Schedule) and is_fixed(part):
                    horizon = getattr(callback, "horizon", None)
                    spans = callback.across_fits or (horizon is not None and not horizon.is_open)
                    facts = {"is_factor": part is contribution.factor, "spans_fits": spans}
                    yield _schedule(callback.owner, part, before, end, **facts)

    def _own(self, driven, own):
        if not is_fixed(own):
            # A function from outside may be slow, and its end is not known.
            return
        length, optimizer = self._length, driven.optimizer
        counted, batches, every = driven.batches_counted(), length.batches, accumulation(optimizer)
        end = due = None
        if batches is not None:
            due = length.first_epoch * batches
            if length.epochs is not None:
                end = counted + (length.epochs - length.first_epoch) * batches
        facts = {"is_own": True, "accumulation": every, "due": due}
        facts["is_held"] = _is_held(own, every)
        yield _schedule(f"The schedule of {driven.name}", own, counted, end, **facts)


def _is_held(schedule, every):
    """Tells whether a schedule of batches changes with every update only."""
    rates = schedule.rates(50 * every).reshape(-1, every)
    return bool((rates == rates[:, :1]).all())


def _grid(begin, last, points=_POINTS):
    return np.unique(np.linspace(begin, last, points).round())


def _extremes(schedule, horizon):
    """Returns the highest rate up to a step, where it is first, and the lowest."""
    steps = _grid(0, horizon)
    lowest = float(schedule.rates(steps).min())
    for _ in range(2):
        # Once more, in the neighbourhood of the highest.
        at = int(schedule.rates(steps).argmax())
        around = steps[max(at - 1, 0)], steps[min(at + 1, len(steps) - 1)]
        steps = _grid(*around)
    rates = schedule.rates(steps)
    return float(rates.max()), float(steps[rates.argmax()]), lowest


def _schedule(owner, schedule, begin, end, is_own=False, **facts):
    """Returns the plan of a schedule that is asked for `begin` to `end` - 1."""
    length = schedule.length
    ends = [value for value in (length, end or begin + 1) if value is not None]
    horizon = max(ends) if length is not None else _BEYOND * max(ends)
    peak, peak_at, lowest = _extremes(schedule, horizon)
    facts |= {"peak": peak, "peak_at": peak_at, "lowest": lowest}
    if length is not None:
        facts["final"] = float(schedule.rates([length])[0])
    if end is not None:
        in_run = schedule.rates(_grid(begin, max(end - 1, begin)))
        facts |= {"highest": float(in_run.max()), "last": float(in_run[-1])}
        climbs = bool((np.diff(in_run) >= 0).all()) and len(np.unique(in_run)) >= _CLIMB
        facts["rises"] = climbs and in_run[0] < in_run[-1]
    return SchedulePlan(owner, is_own, begin, end, length, **facts)
