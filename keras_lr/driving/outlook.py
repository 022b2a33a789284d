"""What the rates of a fit are going to be, looked at before it is too late."""

import warnings

import numpy as np

from keras_lr.schedules.coerce import as_schedule

_POINTS = 200
_SPENT = 0.01


def highest(rate, updates_to_come):
    """Returns the highest rate of the coming updates as things stand, or of the next if unknown."""
    last = rate.updates_done() + max((updates_to_come or 1) - 1, 0)
    return float(rate.ledger.at(np.linspace(rate.updates_done(), last, _POINTS).round()).max())


def warn_of_exhausted(rate, updates_to_come):
    """Warns of a schedule in the optimizer that earlier fits, or loaded weights, have used up."""
    if rate.fit_base is not None or rate.initial is not None:
        return
    own, every = as_schedule("learning_rate", rate.own), rate.optimizer.gradient_accumulation_steps
    length, made = own.length, rate.updates_done() * (every or 1)
    if not length or made < length:
        return
    peak, to_come = own.rates(np.linspace(0, length, _POINTS)).max(), highest(rate, updates_to_come)
    if to_come < _SPENT * peak * (1 - 1e-6):
        warnings.warn(
            f"The schedule of {rate.name} is exhausted: it ends at step {length:g}, the optimizer "
            f"counts {made}, and this fit would be trained at {to_come:.4g}, after a peak of "
            f"{peak:.4g}. Compile the model with a new optimizer, or give the schedule to "
            "FitSchedule, whose clock starts with the fit.",
            stacklevel=2,
        )


def warn_of_another_length(callbacks, run, made, epoch):
    """Warns of an epoch of `made` updates where schedules that depend on it had planned others."""
    planned, twice = run.steps_per_epoch, run.of_twice_the_length()
    if abs(made - planned) < 1 or all(c.build(twice) == c.schedule for c in callbacks):
        return
    warnings.warn(
        f"The schedules were planned for {planned:g} updates per epoch, but epoch {epoch + 1} "
        f"made {made}: what was planned in epochs or percent comes too "
        f"{'late' if made < planned else 'early'}. Give the callback the right "
        "steps_per_epoch=… (in batches), or `fit` data of that length.",
        stacklevel=2,
    )
