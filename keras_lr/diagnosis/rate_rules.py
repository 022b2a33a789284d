"""What the rate of a run says beside its losses: pure functions of a `Run`."""

import numpy as np

from keras_lr.diagnosis.findings import Finding
from keras_lr.diagnosis.loss_rules import FEWEST, LITTLE, MUCH, swings

# A rate below that part of its peak moves nothing more; cuts that reach the second early are many.
_SPENT, _TOO_LOW = 0.01, 1.0 / 30.0
# A fall after a cut is due to it from so many standard errors on.
_CLEAR = 4.0


def cut_too_late(run):
    """A cut that the loss had waited for."""
    for cut, fall, waited in _helpful_cuts(run):
        if waited < max(FEWEST, len(run.curves.loss) // 5):
            continue
        part = fall / run.loss.gain
        evidence = {f"cut at {run.unit}": cut + 1, "flat before": waited, "then fell by": fall}
        meaning = (
            f"The rate was cut at {run.unit} {cut + 1}, after {waited} {run.unit}s in which the "
            f"loss stood still, and the loss fell by {part:.0%} of the gain at once."
        )
        advice = (
            f"Cut {waited - waited // 3} {run.unit}s earlier: a smaller patience, or a schedule "
            "that falls all the way, as LinearToZero."
        )
        yield Finding("cut too late", "warning", evidence, meaning, advice)
        return


def improved_after_a_cut(run):
    """A cut after which the loss fell at once."""
    found = list(_helpful_cuts(run))
    if not found or list(cut_too_late(run)):
        return
    cut, fall, _ = max(found, key=lambda one: one[1])
    factor = float(run.rate[cut] / run.rate[cut - 1])
    evidence = {f"cut at {run.unit}": cut + 1, "factor": factor, "then fell by": fall}
    meaning = (
        f"When the rate was cut to {factor:.2g} of it at {run.unit} {cut + 1}, the training loss "
        f"fell by {fall / run.loss.gain:.0%} of the gain: the larger steps had held it up."
    )
    advice = "The cut was right. A schedule that goes to zero does the same without a wait."
    yield Finding("improved after a cut", "note", evidence, meaning, advice)


def _helpful_cuts(run):
    """Yields cuts after which the loss fell below its trend: where, by how much, waited how long.

    A curve that falls ever more slowly lies above the straight line through its last points: what
    lies clearly below it is the cut's doing.
    """
    losses, gain = run.curves.loss, run.loss.gain
    edges = [0, *run.cuts.tolist(), len(losses)]
    for begin, cut, end in zip(edges, edges[1:], edges[2:]):
        if cut - begin < FEWEST or end - cut < 2 or gain <= 0.0:
            continue
        before = losses[max(begin, cut - max(FEWEST, (cut - begin) // 3)) : cut]
        after = losses[cut : min(end, cut + len(before))]
        if not (np.all(np.isfinite(before)) and np.all(np.isfinite(after))):
            continue
        steps = np.arange(len(before))
        slope, level = np.polyfit(steps, before, 1)
        spread = float(np.std(before - (level + slope * steps), ddof=2))
        middle = len(before) + (len(after) - 1) / 2.0
        fall = float(level + min(slope, 0.0) * middle - np.mean(after))
        error = spread * np.sqrt(1.0 / len(before) + 1.0 / len(after))
        if fall > 0.03 * gain and fall > _CLEAR * error:
            yield cut, fall, _waited(losses[begin:cut], LITTLE * gain + spread)


def _waited(losses, near):
    """Returns for how many of the last losses nothing more was gained."""
    level = float(np.mean(losses[-max(len(losses) // 5, 2) :]))
    above = np.flatnonzero(losses > level + 2.0 * near)
    return len(losses) - (int(above[-1]) + 1 if len(above) else 0)


def cut_too_often(run):
    """Cuts that came while the loss still fell, and brought the rate down to nothing too soon."""
    count, losses = len(run.curves.loss), run.curves.loss
    if len(run.cuts) < 2 or not run.loss.has_fallen:
        return
    low = np.flatnonzero(run.rate <= _TOO_LOW * run.peak_rate)
    low = low[low > np.argmax(run.rate)]
    if not len(low) or low[0] > 2 * count // 3:
        return
    at = int(low[0])
    then, rest = losses[max(at - max(FEWEST, at // 4), 0) : at], losses[at:]
    if not (np.all(np.isfinite(then)) and np.all(np.isfinite(rest))) or len(then) < 3:
        return
    per_point = float(then[0] - then[-1]) / (len(then) - 1)
    falls_on = then[0] - then[-1] > max(MUCH * run.loss.gain, 3.0 * run.noise_of_points)
    later = float(rest[0] - np.min(rest))
    if not falls_on or later > 0.25 * per_point * (len(rest) - 1):
        return
    evidence = {"cuts": len(run.cuts), f"low from {run.unit}": at + 1, "rate": run.last_rate}
    evidence |= {"fell per point before": per_point, "fell after": later}
    meaning = (
        f"{len(run.cuts)} cuts brought the rate to {run.rate[at] / run.peak_rate:.2g} of its peak "
        f"by {run.unit} {at + 1}, while the loss was still falling; since then it has hardly moved."
    )
    advice = (
        "A larger patience (two or three times), a factor nearer to 1, or threshold_mode='rel', so "
        "that slow progress counts as progress."
    )
    yield Finding("cut too often", "warning", evidence, meaning, advice)


def at_its_floor(run):
    """A rate that cuts have brought to its lowest, where nothing is gained."""
    found = _low_end(run)
    if found is None or not found[1] or found[0] > 3 * len(run.rate) // 4:
        return
    begin, gained = found[0], _gained_from(run, found[0])
    if len(run.rate) - begin < FEWEST or run.last_rate > 0.5 * run.peak_rate or gained is None:
        return
    meaning = (
        f"From {run.unit} {begin + 1} to the end, {len(run.rate) - begin} {run.unit}s, the rate "
        f"stood at its lowest, {run.last_rate:.3g}, and nothing was gained."
    )
    advice = "Stop there (ReduceLROnPlateau(stop_at_min_lr=True)), or cut later."
    evidence = {"rate": run.last_rate, "from": begin + 1, "gained": gained}
    yield Finding("rate at its floor", "warning", evidence, meaning, advice)


def schedule_exhausted(run):
    """A schedule that was at its end long before the run was."""
    found = _low_end(run, _SPENT)
    if found is None or found[1] or len(run.rate) - found[0] < max(3, len(run.rate) // 10):
        return
    begin, gained = found[0], _gained_from(run, found[0])
    if gained is None:
        return
    part = (len(run.rate) - begin) / len(run.rate)
    meaning = (
        f"From {run.unit} {begin + 1} on the rate was below 1 % of its peak: the last {part:.0%} "
        "of the run moved nothing."
    )
    advice = (
        "Give the schedule the length of the run: FitSchedule(LinearToZero(peak, '100%')), or "
        "train for fewer epochs."
    )
    evidence = {"peak": run.peak_rate, "last": run.last_rate, "from": begin + 1, "gained": gained}
    yield Finding("schedule exhausted", "warning", evidence, meaning, advice)


def _low_end(run, part=None):
    """Returns from where to the end the rate stays at its last value, or below a part of the peak.

    And whether a cut has brought it there. None where that is not so.
    """
    if run.rate is None or (part is not None and run.last_rate >= part * run.peak_rate):
        return None
    limit = run.last_rate * (1 + 1e-5) if part is None else part * run.peak_rate
    higher = np.flatnonzero(run.rate > limit)
    if not len(higher):
        return None
    begin = int(higher[-1]) + 1
    return begin, begin in run.cuts


def _gained_from(run, point):
    """Returns what the loss gained from a point on, or None if that was something."""
    losses = run.curves.loss[point:]
    if run.loss.gain <= 0.0 or not np.all(np.isfinite(losses)):
        return None
    half = max(len(losses) // 2, 1)
    gained = float(np.mean(losses[:half]) - np.mean(losses[half:])) if len(losses) > 1 else 0.0
    return gained if gained <= LITTLE * run.loss.gain + run.noise_of_points else None


def warmup_missing(run):
    """A loss that first rose by more than was ever gained, and then came down."""
    losses, course = run.curves.loss, run.loss
    first = max(len(losses) // 5, 3)
    if len(losses) < 2 * FEWEST or swings(course, run):
        return
    early = losses[:first]
    start = course.start if course.initial is not None else losses[0]
    if not np.all(np.isfinite(early)) or not np.isfinite(start):
        return
    height = float(np.max(early) - start)
    gain = float(start - course.smoothed[course.lowest])
    came_back = np.flatnonzero(losses[int(np.argmax(early)) :] <= start)
    if height <= max(gain, 6.0 * run.noise_of_points, 0.0) or not len(came_back) or gain <= 0.0:
        return
    at = int(np.argmax(early))
    if run.rate is not None and run.rate[0] < 0.5 * np.max(run.rate[: at + 1]):
        return
    lost = at + int(came_back[0])
    evidence = {"start": float(start), "highest": float(np.max(early)), "back after": lost}
    meaning = (
        f"The loss first rose from {start:.3g} to {np.max(early):.3g}, more than it has gained "
        f"since, and was back after {lost} {run.unit}s: the first steps were too large."
    )
    advice = (
        "Warm up over 5 to 10 % of the run (Warmup('5%')), longer than that rise at least; or "
        "try a third of the rate."
    )
    yield Finding("warmup missing", "warning", evidence, meaning, advice)
