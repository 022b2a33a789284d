"""What will not work as it is meant, seen before training: pure functions of a `Plan`."""

from keras_lr.diagnosis.findings import SEVERITIES, Finding

_SPENT = 0.01
# A rate in float32 reads a hair above the number that was written.
_ROUNDING = 1e-6


def find(plan, rules=None):
    """Returns the findings of every rule, or of some, errors first and notes last.

    >>> from keras_lr.diagnosis.plan import CallbackPlan, Plan
    >>> two = [CallbackPlan(kind, kind, i, sets_base=True) for i, kind in enumerate("AB")]
    >>> [finding.name for finding in find(Plan(callbacks=tuple(two)))]
    ['two bases']
    """
    found = [finding for rule in rules or RULES for finding in rule(plan)]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def listed_twice(plan):
    """A callback object that is in the list more than once."""
    seen = set()
    for callback in plan.callbacks:
        if callback.is_ours and callback.identity in seen:
            meaning = f"Each callback must be listed once. Received twice: {callback.owner}"
            yield Finding("listed twice", "error", {"times": 2}, meaning)
        seen.add(callback.identity)


def two_bases(plan):
    """Two callbacks that both name absolute rates for one optimizer."""
    bases = {callback.identity: callback for callback in plan.callbacks if callback.sets_base}
    for target in set().union(*(callback.targets for callback in bases.values())):
        named = [callback for callback in bases.values() if target in callback.targets]
        if len(named) < 2:
            continue
        first, second, *_ = named
        meaning = (
            "At most one callback can name absolute learning rates; the others have to be factors. "
            f"Received: {first.kind} and {second.kind}."
        )
        evidence = {"callbacks": len(named)}
        yield Finding("two bases", "error", evidence, meaning, "Remove one of the two.")
        return


def other_writer(plan):
    """A callback of Keras' own that writes the rate: on a schedule, or beside ours."""
    theirs = next((c for c in plan.callbacks if c.writes_rate and not c.is_ours), None)
    if theirs is None or not plan.optimizers:
        return
    ours = next((c for c in plan.callbacks if c.writes_rate and c.is_ours), None)
    advice = f"`keras_lr.callbacks.{theirs.kind}` takes the same arguments and multiplies"
    if any(optimizer.has_schedule for optimizer in plan.optimizers):
        meaning = (
            f"Keras' {theirs.kind} cannot write the rate of an optimizer that was built with a "
            "schedule, and would fail when it first has to."
        )
        yield Finding("writer on a schedule", "error", {}, meaning, f"{advice}: use that.")
    elif ours is not None:
        meaning = (
            f"Keras' {theirs.kind} writes the learning rate beside {ours.kind} of keras_lr. What "
            "it writes is the base from there on, written over when a metric changes a factor, and "
            "without effect under FitSchedule and RandomLearningRate."
        )
        yield Finding("two writers", "warning", {}, meaning, f"{advice}.")


def schedule_exhausted(plan):
    """A schedule in the optimizer that earlier fits, or loaded weights, have used up."""
    for optimizer in plan.optimizers:
        length, counted = optimizer.schedule_length, optimizer.steps_counted
        to_come, peak = optimizer.highest_in_step, optimizer.schedule_peak
        if not length or to_come is None or counted < length:
            continue
        if to_come < _SPENT * peak * (1 - _ROUNDING):
            evidence = {"length": length, "counted": counted, "highest": to_come, "peak": peak}
            meaning = (
                f"The schedule of {optimizer.name} is exhausted: it ends at step {length:g}, the "
                f"optimizer counts {counted}, and this fit would be trained at {to_come:.4g}, "
                f"after a peak of {peak:.4g}."
            )
            advice = (
                "Compile the model with a new optimizer, or give the schedule to FitSchedule, "
                "whose clock starts with the fit."
            )
            yield Finding("schedule exhausted", "warning", evidence, meaning, advice)


def limit_never_left(plan):
    """A lower limit for cuts that is not below any rate to come."""
    rates = [optimizer.highest_to_come for optimizer in plan.optimizers]
    if not rates or None in rates:
        return
    highest = max(rates)
    for callback in plan.callbacks:
        limit = callback.lower_limit
        if limit is not None and 0 < highest <= limit * (1 + _ROUNDING):
            evidence = {"min_lr": limit, "highest": highest}
            meaning = (
                f"{callback.owner} will never reduce the learning rate: its min_lr={limit} is not "
                f"below the highest rate to come, {highest:.4g}."
            )
            advice = "Give a lower min_lr."
            yield Finding("min_lr above the rate", "warning", evidence, meaning, advice)


def integer_schedule(plan):
    """A schedule of Keras' that was given an integer, and counts in integers from there."""
    for optimizer in plan.optimizers:
        if optimizer.as_integer is None:
            continue
        step, rate, meant = optimizer.as_integer
        does = "fails" if rate is None else f"has the rate {rate:.4g} there"
        meaning = (
            f"The Keras schedule of {optimizer.name} was given an integer as a rate, and rounds to "
            f"integers: at step {step:g} it {does}, where {meant:.4g} is meant."
        )
        advice = "Write 1.0 for 1, or take the class of the same name in keras_lr.schedules."
        evidence = {"step": step, "rate": rate, "meant": meant}
        yield Finding("integer rate", "warning", evidence, meaning, advice)


def lr_assigned(plan):
    """A number that was assigned to `optimizer.lr`, which Keras 3 does not read."""
    for optimizer in plan.optimizers:
        if optimizer.assigned_lr is not None:
            meaning = (
                f"`lr` was assigned to {optimizer.name}, and Keras 3 does not read it: the rate is "
                "still the one before."
            )
            advice = "Use keras_lr.set_rate(model, …), or assign optimizer.learning_rate."
            yield Finding("lr assigned", "warning", {"lr": optimizer.assigned_lr}, meaning, advice)


def reader_before_the_rate(plan):
    """A callback that writes an epoch's logs before the rate has been put into them."""
    logged = next((i for i, c in enumerate(plan.callbacks) if c.logs_rate), None)
    if logged is None:
        return
    early = [callback.kind for callback in plan.callbacks[:logged] if callback.reads_logs]
    if early:
        name = plan.callbacks[logged].kind
        meaning = (
            f"{' and '.join(early)} will not see the learning rate that {name} writes at the end "
            "of each epoch:"
        )
        evidence = {"place": logged}
        yield Finding("reads too early", "warning", evidence, meaning, f"list {name} first.")


def is_another_length(planned, made):
    """Tells whether so many updates are not the planned number, which need not be whole."""
    return None not in (planned, made) and abs(made - planned) >= 1


def another_length(plan):
    """A first epoch of another length than the schedules were planned for."""
    planned, made = plan.steps_per_epoch, plan.made_in_epoch
    if not is_another_length(planned, made):
        return
    if any(callback.depends_on_length for callback in plan.callbacks):
        evidence = {"planned": planned, "made": made}
        meaning = (
            f"The schedules were planned for {planned:g} updates per epoch, but epoch "
            f"{plan.epoch + 1} made {made}: what was planned in epochs or percent comes too "
            f"{'late' if made < planned else 'early'}."
        )
        advice = (
            "Give the callback the right steps_per_epoch=… (in batches), or `fit` data of that "
            "length."
        )
        if made > planned and made % planned == 0:
            # More updates than `fit` has batches: it would refuse another number of batches.
            advice = (
                f"If each batch makes {made / planned:g} updates, give durations in updates; if "
                "`fit` does not know the number of batches, give the callback the right "
                "steps_per_epoch=… (in batches)."
            )
        yield Finding("another length", "warning", evidence, meaning, advice)


RULES = (
    listed_twice,
    two_bases,
    other_writer,
    schedule_exhausted,
    limit_never_left,
    integer_schedule,
    lr_assigned,
    reader_before_the_rate,
    another_length,
)
