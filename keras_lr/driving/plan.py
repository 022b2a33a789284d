"""The plan of a run, read off its model, callbacks and optimizers: for preflight and lint."""

import keras
import numpy as np

from keras_lr.diagnosis.plan import CallbackPlan, OptimizerPlan, Plan
from keras_lr.keras_private.fit_call import listed
from keras_lr.keras_private.optimizers import has_schedule, leaves, own_rate
from keras_lr.schedules.coerce import as_schedule

_POINTS = 200
_WRITERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
# They write what the callbacks before them have put into the logs, and CSVLogger's columns are
# those of the first epoch. Keras' TensorBoard reads the optimizer instead, wherever it is listed.
_READERS = (keras.callbacks.CSVLogger, keras.callbacks.RemoteMonitor)


def plan_of(model, callbacks, run, driven=(), epoch=None, made=None):
    """Returns the plan of a run; `callbacks` are ours, to which those of Keras in `fit` are added.

    `driven` are its optimizers once they are driven, `made` the updates of the epoch that has
    ended, if one has.
    """
    together = listed(model)
    together += [c for c in callbacks if all(c is not other for other in together)]
    return Plan(
        callbacks=tuple(_callback(c, model, run if made is not None else None) for c in together),
        optimizers=tuple(_optimizers(model, callbacks, run, driven, epoch)),
        steps_per_epoch=run.steps_per_epoch,
        epoch=epoch,
        made_in_epoch=made,
    )


def _callback(callback, model, run):
    kind = type(callback).__name__
    if not hasattr(callback, "contribution"):
        return CallbackPlan(
            kind,
            kind,
            id(callback),
            writes_rate=isinstance(callback, _WRITERS),
            reads_logs=isinstance(callback, _READERS),
        )
    return CallbackPlan(
        kind,
        callback.owner,
        id(callback),
        is_ours=True,
        writes_rate=callback.follows_metrics or callback.schedule is not None,
        sets_base=callback.sets_base,
        logs_rate=callback.records,
        lower_limit=callback.lower_limit,
        depends_on_length=run is not None and _depends_on_length(callback, run),
        targets=frozenset(map(id, leaves(callback.optimizer or model.optimizer))),
    )


def _depends_on_length(callback, run):
    if callback.schedule is None or run.steps_per_epoch is None:
        return False
    return callback.build(run.of_twice_the_length()) != callback.schedule


def _optimizers(model, callbacks, run, driven, epoch):
    if not len(driven):
        for optimizer in leaves(model.optimizer):
            yield OptimizerPlan(optimizer.name, has_schedule(optimizer))
        return
    to_come = None
    if run.total_steps is not None:
        to_come = int(run.total_steps - epoch * run.steps_per_epoch)
    # Callbacks that follow a metric may name any rate.
    is_open = any(c.sets_base and c.follows_metrics for c in callbacks)
    is_unknown = to_come is None and any(c.schedule is not None for c in callbacks)
    for one in driven:
        length = peak = None
        if one.base is None and has_schedule(one.optimizer):
            own = as_schedule("learning_rate", own_rate(one.optimizer))
            length = own.length
            if length:
                peak = float(own.rates(np.linspace(0, length, _POINTS)).max())
        highest = None if is_open else _highest(one, to_come)
        yield OptimizerPlan(
            one.name,
            has_schedule(one.optimizer),
            length,
            one.batches_counted(),
            peak,
            None if highest is None or is_unknown else highest / one.multiplier,
            highest,
        )


def _highest(driven, updates_to_come):
    """Returns the highest rate of the coming updates as things stand, or of the next if unknown."""
    begin = driven.updates_done()
    last = begin + max((updates_to_come or 1) - 1, 0)
    return float(driven.applied(np.linspace(begin, last, _POINTS).round()).max())
