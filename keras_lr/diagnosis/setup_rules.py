"""What is probably not meant in a set-up: pure functions of a `Plan`, for `lint` alone.

Each of these may be on purpose, as a schedule that several fits are to share: a running fit does
not warn of them.
"""

from keras_lr.diagnosis.findings import Finding

# A schedule ends with the fit if it does within so large a share of it.
_SLACK = 0.1
# It trains nothing below this share of its peak, and may do so for this share of the fit.
_NOTHING, _WASTED = 0.01, 0.05
# It is cut off while it still has to fall to this share of the last rate, which is itself no less
# than the other of the peak.
_STILL_TO_FALL, _HIGH = 0.6, 0.1


def refused(plan):
    """A callback that cannot be in a fit of this length, or on this optimizer."""
    for callback in plan.callbacks:
        if callback.refusal is not None:
            meaning = f"{callback.owner} cannot be in this fit. {callback.refusal}"
            yield Finding("refused", "error", {}, meaning)


def _is_in_batches_by_mistake(schedule):
    """Tells whether a schedule counts batches, but was not made for as many as there are."""
    if not schedule.is_own or schedule.accumulation == 1 or schedule.is_held:
        return False
    if schedule.length is None:
        return True
    return schedule.end is not None and 0 < schedule.length < (1 - _SLACK) * schedule.end


def counts_batches(plan):
    """A schedule in an optimizer that accumulates: Keras has it count batches, not updates."""
    for schedule in filter(_is_in_batches_by_mistake, plan.schedules):
        every = schedule.accumulation
        evidence = {"accumulation": every, "length": schedule.length, "batches": schedule.end}
        meaning = (
            f"{schedule.owner} is given the number of batches, of which an update takes {every}: "
            f"it runs {every} times as fast as one that counts updates."
        )
        if schedule.length is not None:
            meaning += f" It ends at batch {schedule.length:g}"
            meaning += "." if schedule.end is None else f" of {schedule.end:g}."
        advice = (
            "Give it to FitSchedule, which counts updates, or write "
            f"schedule.stretch({every}).hold({every})."
        )
        yield Finding("schedule counts batches", "warning", evidence, meaning, advice)


def ends_early(plan):
    """A schedule that comes to its end, a rate of nothing, well before the fit does."""
    for schedule in plan.schedules:
        begin, end, length = schedule.begin, schedule.end, schedule.length
        if not length or end is None or _is_in_batches_by_mistake(schedule):
            continue
        if begin >= length or schedule.final >= _NOTHING * schedule.peak:
            continue
        wasted = end - length
        if wasted <= max(_WASTED * (end - begin), 1):
            continue
        share = wasted / (end - begin)
        evidence = {"length": length, "begin": begin, "end": end, "final": schedule.final}
        meaning = (
            f"{schedule.owner} ends at {schedule.unit} {length:g}, the fit at {end:g}: its last "
            f"{wasted:g}, {share:.0%} of the fit, would be trained at {schedule.final:.4g}."
        )
        if schedule.is_own and begin > 0:
            meaning += (
                f" The optimizer counts {begin:g} already, from earlier fits or a checkpoint."
            )
        advice = (
            'Give it the length of the fit: FitSchedule with a duration of "100%" knows it, and '
            "begins at 0 in each fit."
        )
        yield Finding("schedule ends early", "warning", evidence, meaning, advice)


def outlives_the_fit(plan):
    """A schedule that would still fall a long way when the fit ends."""
    for schedule in plan.schedules:
        end, length, last = schedule.end, schedule.length, schedule.last
        if not length or end is None or schedule.spans_fits or schedule.rises:
            continue
        if _is_behind(schedule):
            continue
        if length <= (1 + _SLACK) * end or last < _HIGH * schedule.highest:
            continue
        if schedule.final > _STILL_TO_FALL * last:
            continue
        evidence = {"length": length, "end": end, "last": last, "final": schedule.final}
        meaning = (
            f"{schedule.owner} ends at {schedule.unit} {length:g}, the fit at {end:g}: the last "
            f"rate would be {last:.4g}, and never {schedule.final:.4g}."
        )
        advice = (
            'Give it the length of the fit, such as "100%" under FitSchedule: most of what an '
            "annealing brings comes with its end."
        )
        if schedule.is_own:
            advice += " If more fits follow, leave it: it goes on in them."
        yield Finding("schedule outlives the fit", "warning", evidence, meaning, advice)


def warmup_outlives_the_fit(plan):
    """A schedule that the fit sees climb only, and never at its peak."""
    for schedule in plan.schedules:
        end, peak, highest = schedule.end, schedule.peak, schedule.highest
        if end is None or not schedule.rises or schedule.spans_fits:
            continue
        if schedule.peak_at < end or highest >= (1 - _SLACK) * peak:
            continue
        evidence = {"peak_at": schedule.peak_at, "end": end, "highest": highest, "peak": peak}
        meaning = (
            f"{schedule.owner} climbs until {schedule.unit} {schedule.peak_at:g}, and the fit ends "
            f"at {end:g}: it gets to {highest:.4g} and never to {peak:.4g}."
        )
        advice = 'Give the warmup a share of the fit, such as "5%", or train for longer.'
        yield Finding("warmup longer than the fit", "warning", evidence, meaning, advice)


def _is_behind(schedule):
    """Tells whether an optimizer counts less than the epochs before the fit would have made."""
    return bool(schedule.is_own and schedule.due and schedule.due - schedule.begin >= 1)


def begins_anew(plan):
    """A fit that begins at a later epoch, with a schedule that begins at its beginning."""
    for schedule in filter(_is_behind, plan.schedules):
        due = schedule.due
        if schedule.length == 0:
            continue
        evidence = {"begin": schedule.begin, "due": due}
        meaning = (
            f"{schedule.owner} begins at {schedule.unit} {schedule.begin:g}, where the optimizer's "
            f"counter stands; the epochs before this fit were {due:g}."
        )
        advice = (
            "Call keras_lr.resume_at(model, epoch, steps_per_epoch), restore the optimizer with "
            "the weights, or give the schedule to FitSchedule."
        )
        yield Finding("schedule begins anew", "warning", evidence, meaning, advice)


def is_flat(plan):
    """A schedule between two rates that are the same."""
    for schedule in plan.schedules:
        if not schedule.length or schedule.lowest < schedule.peak * (1 - 1e-6):
            continue
        evidence = {"length": schedule.length, "rate": schedule.peak}
        meaning = (
            f"{schedule.owner} takes {schedule.length:g} {schedule.unit}s from {schedule.peak:.4g} "
            "to the same rate."
        )
        yield Finding("flat schedule", "note", evidence, meaning, "Give it another end.")


def stopped_before_a_cut(plan):
    """A callback that ends the training before another one makes its first cut."""
    for ending in (c for c in plan.callbacks if c.ends and c.patience is not None):
        for cutting in plan.callbacks:
            if cutting.ends or cutting.patience is None or cutting.monitor != ending.monitor:
                continue
            first, last = cutting.start + cutting.patience, ending.start + ending.patience
            if last > first:
                continue
            evidence = {"cut": first, "end": last}
            meaning = (
                f"{ending.kind} ends the training after {last} epochs without an improvement of "
                f"{ending.monitor}, and {cutting.owner} waits for {first}: it never makes a cut."
            )
            advice = (
                f"Give {ending.kind} at least twice the patience of {cutting.kind}, so that a "
                "lower rate has time to help."
            )
            yield Finding("stopped before a cut", "warning", evidence, meaning, advice)


def two_of_keras(plan):
    """Two callbacks of Keras' own that both write the rate: each undoes what the other did."""
    theirs = [c.kind for c in plan.callbacks if c.writes_rate and not c.is_ours]
    if len(theirs) < 2 or any(c.writes_rate and c.is_ours for c in plan.callbacks):
        return
    meaning = (
        f"Keras' {' and '.join(theirs)} both write the learning rate. A scheduler that returns a "
        "function of the epoch undoes every cut when the next epoch begins."
    )
    advice = "Those of the same names in keras_lr.callbacks take the same arguments and multiply."
    yield Finding("two writers", "warning", {"callbacks": len(theirs)}, meaning, advice)


def no_such_metric(plan):
    """A monitored metric that nobody puts into the logs, or nobody who comes before."""
    for place, callback in enumerate(plan.callbacks):
        name = callback.monitor
        if name is None or name.startswith("learning_rate"):
            continue
        if any(c.adds_metrics for c in plan.callbacks[:place]):
            continue
        without = name.startswith("val_") and plan.validates is False
        unknown = plan.metrics is None or name.removeprefix("val_") in plan.metrics
        if not without and unknown:
            continue
        later = [c.kind for c in plan.callbacks[place + 1 :] if c.adds_metrics]
        evidence = {"metrics": sorted(plan.metrics or ()), "validates": plan.validates}
        meaning = f"{callback.owner} monitors {name!r}, which is not in the logs when it looks:"
        meaning += " `fit` has no validation data." if without else " no metric has that name."
        advice = "Give fit validation_data=…" if without else "Compile a metric of that name"
        advice += ", or monitor another one."
        if later:
            advice += f" If {later[0]} adds it, list that before {callback.kind}."
        severity = "error" if callback.is_ours and not later else "warning"
        yield Finding("no such metric", severity, evidence, meaning, advice)


def saved_too_early(plan):
    """A saver that saves before a cut of the same epoch is made."""
    for place, saver in enumerate(plan.callbacks):
        if not saver.saves:
            continue
        for other in plan.callbacks[place + 1 :]:
            if other.lower_limit is None and not other.is_kept:
                continue
            if other.restores_all or not (saver.is_backup or other.is_kept):
                continue
            evidence = {"saver": place, "callback": plan.callbacks.index(other)}
            meaning = (
                f"{saver.kind} saves an epoch before {other.owner} decides on it: a run that goes "
                "on from there does not have the cut."
            )
            yield Finding(
                "saved too early", "warning", evidence, meaning, f"List {saver.kind} last."
            )
            break


def restored_into_averages(plan):
    """Weights that are put back while the model holds the averages, and swapped away again."""
    swapping = [i for i, c in enumerate(plan.callbacks) if c.swaps_weights]
    for place, callback in enumerate(plan.callbacks):
        before = [i for i in swapping if i < place]
        if before and callback.restores_weights:
            kind = plan.callbacks[before[0]].kind
            evidence = {"swapped": before[0], "restored": place}
            meaning = (
                f"{kind}(swap_on_epoch=True) has put the averages into the model when "
                f"{callback.owner} keeps or restores weights, and swaps what was restored away "
                "when the next epoch begins: training never goes on from it."
            )
            advice = f"List {callback.kind} before {kind}."
            yield Finding("restored into averages", "warning", evidence, meaning, advice)


def search_longer_than_the_fit(plan):
    """A search for the rate that takes about as long as what it is for."""
    for callback in plan.callbacks:
        total = plan.total_steps
        if total is not None and callback.searches > total / 2:
            evidence = {"searched": callback.searches, "updates": total}
            meaning = (
                f"{callback.kind} searches with {callback.searches} updates for a fit of {total:g}."
            )
            advice = "That is worth it only for a fit that is repeated, or longer."
            yield Finding("search longer than the fit", "note", evidence, meaning, advice)


RULES = (
    refused,
    counts_batches,
    ends_early,
    outlives_the_fit,
    warmup_outlives_the_fit,
    begins_anew,
    is_flat,
    stopped_before_a_cut,
    two_of_keras,
    no_such_metric,
    saved_too_early,
    restored_into_averages,
    search_longer_than_the_fit,
)
