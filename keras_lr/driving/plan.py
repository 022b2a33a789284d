"""The plan of a run, read off its model, callbacks and optimizers: for preflight and lint."""

import dataclasses

import keras
import numpy as np

from keras_lr import checks
from keras_lr.diagnosis.plan import CallbackPlan, OptimizerPlan, Plan
from keras_lr.driving.planned import PlannedFit
from keras_lr.keras_private.metrics import logged_names
from keras_lr.keras_private.optimizers import has_rate_variable, has_schedule, leaves, own_rate
from keras_lr.schedules.coerce import as_schedule, works_in_integers

_POINTS = 200
_WRITERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
# They write what the callbacks before them have put into the logs, and CSVLogger's columns are
# those of the first epoch. Keras' TensorBoard reads the optimizer instead, wherever it is listed.
_READERS = (keras.callbacks.CSVLogger, keras.callbacks.RemoteMonitor)


def plan_of(model, callbacks, run, driven=(), epoch=None, made=None):
    """Returns the plan of a run with these callbacks, those of Keras among them, in their order.

    `driven` are its optimizers once they are driven, `made` the updates of the epoch that has
    ended, if one has.
    """
    return Plan(
        callbacks=tuple(_callback(c, model, run if made is not None else None) for c in callbacks),
        optimizers=tuple(_optimizers(model, callbacks, run, driven, epoch)),
        steps_per_epoch=run.steps_per_epoch,
        epoch=epoch,
        made_in_epoch=made,
        total_steps=run.total_steps,
    )


def plan_before(model, callbacks, length, validates=None):
    """Returns the plan of a fit that has not begun: as `plan_of` would at its beginning, and more.

    Nothing is touched. `length` is a `Length` of planned.py.
    """
    planned = PlannedFit(model, [c for c in callbacks if is_ours(c)], length)
    run = length.run_of(next(iter(leaves(model.optimizer)), model.optimizer))
    plan = plan_of(model, callbacks, run, planned.driven, length.first_epoch)
    callback_plans = tuple(
        dataclasses.replace(
            found,
            writes_rate=found.writes_rate or callback in planned.writers,
            refusal=planned.refusals.get(callback),
            searches=planned.searches.get(callback, 0),
        )
        for callback, found in zip(callbacks, plan.callbacks)
    )
    return dataclasses.replace(
        plan,
        callbacks=callback_plans,
        schedules=tuple(planned.schedules),
        metrics=logged_names(model),
        validates=validates,
    )


def is_ours(callback):
    """Tells whether a callback contributes to the rate as those of this package do."""
    return hasattr(callback, "contribution")


def _callback(callback, model, run):
    kind, monitor = type(callback).__name__, getattr(callback, "monitor", None)
    if not is_ours(callback):
        return CallbackPlan(kind, kind, id(callback), **_of_others(callback, monitor))
    restores = getattr(callback, "restore_best", None)
    return CallbackPlan(
        kind,
        callback.owner,
        id(callback),
        is_ours=True,
        monitor=callback.monitored,
        adds_metrics=_is_strange(callback),
        patience=None if callback.lower_limit is None else getattr(callback, "patience", None),
        start=getattr(callback, "start_from_epoch", 0),
        restores_weights=restores in (True, "weights"),
        restores_all=restores == "all",
        is_kept=getattr(callback, "state_path", None) is not None,
        writes_rate=callback.follows_metrics or callback.schedule is not None,
        sets_base=callback.sets_base,
        logs_rate=callback.records,
        lower_limit=callback.lower_limit,
        depends_on_length=run is not None and _depends_on_length(callback, run),
        targets=frozenset(map(id, leaves(callback.optimizer or model.optimizer))),
    )


def _of_others(callback, monitor):
    """Returns the facts of a callback that is not ours, by their names in `CallbackPlan`."""
    keras_own = keras.callbacks
    facts = {
        "writes_rate": isinstance(callback, _WRITERS),
        "reads_logs": isinstance(callback, _READERS),
        "adds_metrics": _is_strange(callback),
        "is_backup": isinstance(callback, keras_own.BackupAndRestore),
    }
    best_only = getattr(callback, "save_best_only", False)
    is_checkpoint = isinstance(callback, keras_own.ModelCheckpoint)
    facts["saves"] = facts["is_backup"] or (is_checkpoint and not best_only)
    facts["ends"] = isinstance(callback, keras_own.EarlyStopping)
    if facts["ends"] or isinstance(callback, keras_own.ReduceLROnPlateau):
        facts |= {"monitor": monitor, "patience": callback.patience}
        facts["start"] = getattr(callback, "start_from_epoch", 0)
    if isinstance(callback, keras_own.ReduceLROnPlateau):
        facts["lower_limit"] = callback.min_lr
    if is_checkpoint and best_only:
        facts["monitor"] = monitor
    is_swap = isinstance(callback, keras_own.SwapEMAWeights)
    facts["swaps_weights"] = is_swap and callback.swap_on_epoch
    return facts


def _is_strange(callback):
    """Tells whether a callback is somebody else's, and may put anything into the logs."""
    is_lambda = isinstance(callback, keras.callbacks.LambdaCallback)
    room = type(callback).__module__.partition(".")[0]
    return is_lambda or room not in ("keras", "keras_lr")


def _depends_on_length(callback, run):
    if callback.schedule is None or run.steps_per_epoch is None:
        return False
    return callback.build(run.of_twice_the_length()) != callback.schedule


def _optimizers(model, callbacks, run, driven, epoch):
    if not len(driven):
        for optimizer in leaves(model.optimizer):
            yield OptimizerPlan(optimizer.name, has_schedule(optimizer), **_traps(optimizer, model))
        return
    to_come = None
    if run.total_steps is not None:
        to_come = int(run.total_steps - epoch * run.steps_per_epoch)
    # Callbacks that follow a metric may name any rate, and so may Keras' scheduler.
    is_open = any(c.sets_base and c.follows_metrics for c in callbacks if is_ours(c))
    is_open |= any(isinstance(c, keras.callbacks.LearningRateScheduler) for c in callbacks)
    for one in driven:
        # Of the length of the run nothing depends on a number.
        is_number = has_rate_variable(one.optimizer) and one.base is None and not one.factors
        is_unknown = to_come is None and not is_number
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
            None if highest is None or is_unknown else highest / (one.multiplier or 1.0),
            highest,
            **_traps(one.optimizer, model),
        )


def _traps(optimizer, model):
    """Returns what was given to an optimizer and does not do what it says, if anything."""
    assigned = None
    if type(optimizer).__module__.startswith("keras."):
        assigned = vars(optimizer).get("lr", vars(model.optimizer).get("lr"))
        assigned = checks.as_number(assigned)
    return {"assigned_lr": assigned, "as_integer": _as_integer(own_rate(optimizer))}


def _as_integer(own):
    """Returns a step, Keras' rate there and the one that was meant; None unless they differ."""
    if not works_in_integers(own):
        return None
    return _first_difference(own, as_schedule("learning_rate", own))


def _first_difference(own, meant):
    last = meant.length or 100
    for step in sorted({1, *(round(last * share / 4) for share in (1, 2, 3))}):
        right = meant.rate_at(step)
        try:
            rate = float(own(step))
        except Exception:
            # Each back end has its own error for it.
            return step, None, right
        if abs(rate - right) > 1e-5 * max(abs(right), 1e-30):
            return step, rate, right
    return None


def _highest(driven, updates_to_come):
    """Returns the highest rate of the coming updates as things stand, or of the next if unknown."""
    begin = driven.updates_done()
    last = begin + max((updates_to_come or 1) - 1, 0)
    return float(driven.applied(np.linspace(begin, last, _POINTS).round()).max())
