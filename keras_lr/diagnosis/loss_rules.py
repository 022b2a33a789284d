"""What the losses of a run say: pure functions of a `Run`, each a generator of findings."""

import numpy as np

from keras_lr.diagnosis.findings import Finding

# Shares of what the loss has gained: below the first nothing is gained, from the second on a rise
# counts, and the third is what a plateau has to have hidden.
LITTLE, MUCH, MOST = 0.02, 0.05, 0.1
# Within so many standard errors a change may be chance.
CHANCE = 2.5
# Fewer points say nothing of how it goes on.
FEWEST = 5
_REGULARISE = "more data, augmentation, dropout, weight decay"


def rising(run):
    """A training loss that has turned and ends far above its best, or above where it began."""
    course = run.loss
    if len(course) < FEWEST or course.is_flat:
        return
    last, best = course.levels[-max(len(course) // 10, 2) :], course.smoothed[course.lowest]
    at = course.place(course.lowest)
    if course.initial is not None and course.initial < best:
        # That of one batch, perhaps: where the loss falls, it is below it by chance.
        best, at = course.initial, 0
        if course.last_trend.is_clear:
            return
    rise, typical = float(np.min(last) - best), float(np.median(last))
    if rise <= 2 * MUCH * max(course.gain, rise) or typical - best < 5 * course.noise():
        return
    where = "above where it began" if typical > course.start else "above its best"
    evidence = {f"best at {run.unit}": at, "best": float(best), "last": float(course.levels[-1])}
    meaning = f"The training loss has risen since {run.unit} {at} and ends {where}."
    if at == 0:
        meaning = "The training loss ends above where it was before the first update."
    advice = (
        "The steps are too large for where training had come: try a third of the rate (a tenth if "
        "it ends above its beginning), or let the rate fall from there on."
    )
    yield Finding("rising", "warning", evidence, meaning, advice)


def oscillating(run):
    """A loss that goes up and down by much of what it has gained."""
    for name, course, allowed in (("loss", run.loss, MUCH), ("val_loss", run.val, MOST)):
        if course is None or not swings(course, run, allowed):
            continue
        swing = float(np.median(np.abs(np.diff(course.levels[course.late]))))
        part = swing / run.scale(course)
        evidence = {"curve": name, "swing": swing, "of the gain": part}
        evidence["rises"] = _share_of_rises(course)
        meaning = (
            f"In the second half, {name} goes up and down by {swing:.3g}, {part:.0%} of all that "
            "has been gained."
        )
        advice = (
            "Steps are too large, or batches too small: try a third of the rate, a schedule that "
            "goes to zero (LinearToZero), or batches twice as large."
        )
        yield Finding("oscillating", "warning", evidence, meaning, advice)
        return


def swings(course, run, allowed=MUCH):
    """Tells whether a loss swings, in its second half, by more than a share of the gain."""
    scale = run.scale(course)
    if len(course) < 2 * FEWEST or not run.loss.has_fallen:
        return False
    if course.late_noise <= allowed * scale:
        return False
    if not 0.2 < _share_of_rises(course) < 0.8:
        return False
    # Losses of single batches differ by chance, and their means less: these swing more than that.
    return course is run.val or course.late_noise > 2.0 * run.noise_of_parts


def _share_of_rises(course):
    return float(np.mean(np.diff(course.levels[course.late]) > 0))


def is_level(course):
    """Tells whether the last quarter neither falls nor rises by what would matter."""
    trend = course.last_trend
    return abs(trend.fall) <= LITTLE * course.gain or abs(trend.fall) <= CHANCE * trend.error


def converged(run):
    """A loss that fell and has levelled off, quietly, or at a rate that has come down."""
    course = run.loss
    if not _has_ended_level(run) or not _is_quiet(run):
        return
    trend = course.last_trend
    evidence = {"gain": course.gain, "gain of the last quarter": trend.fall}
    evidence["noise"] = float(course.late_noise)
    meaning = "The training loss fell and has levelled off: it has converged."
    advice = (
        "Longer training at this schedule will not lower it. Whether another rate would have come "
        "lower, only a comparison shows: give model=, x= and y=."
    )
    yield Finding("converged", "note", evidence, meaning, advice)


def never_moved(run):
    """A loss that is the same from beginning to end."""
    course = run.loss
    if len(course) < 2 or not course.is_flat:
        return
    meaning = "The training loss has not moved at all: no update changes what it measures."
    advice = (
        "The rate is 0 or tiny, weights are frozen, or the model's answer is stuck (dead units, a "
        "saturated output). Try ten times the rate once, then look at the model."
    )
    evidence = {"loss": float(course.levels[0]), f"{run.unit}s": len(run.curves.loss)}
    yield Finding("never moved", "warning", evidence, meaning, advice)


def plateau(run):
    """A loss that stood still, without an end in sight or with a further fall after it."""
    course = run.loss
    if len(course) < FEWEST or course.is_flat:
        return
    stretch = _flat_stretch(run)
    if stretch is not None:
        yield _hidden_fall(run, *stretch)
    elif _has_ended_level(run) and not _is_quiet(run) and not swings(course, run):
        part = course.late_noise / course.gain
        evidence = {"noise": float(course.late_noise), "of the gain": float(part)}
        meaning = (
            "The training loss stands still, and its ups and downs are "
            f"{part:.0%} of all it gained: the size of the steps holds it there."
        )
        advice = "Cut the rate to a third or a tenth now; on a schedule to zero it falls by itself."
        yield Finding("plateau", "warning", evidence, meaning, advice)


def _has_ended_level(run):
    course = run.loss
    return len(course) >= FEWEST and course.has_fallen and is_level(course)


def _is_quiet(run):
    return run.has_come_down or run.loss.late_noise <= LITTLE * run.loss.gain


def _flat_stretch(run):
    """Returns a quarter of the levels or more that gained nothing before a further fall."""
    course = run.loss
    width = max(len(course) // 4, FEWEST)
    if len(course) < 2 * FEWEST or not course.has_fallen or swings(course, run):
        return None
    before, after = course.smoothed[:-width], course.smoothed[width:]
    falls, to_come = before - after, np.minimum.accumulate(after[::-1])[::-1]
    flat = (np.abs(falls) <= LITTLE * course.gain) & (after - to_come >= MOST * course.gain)
    flat &= after - to_come > 4.0 * course.noise()
    last = len(course) - 1
    for begin in np.flatnonzero(flat):
        # As far as the last of the flat windows that follow without a gap.
        gaps = np.flatnonzero(~flat[begin:])
        end = min(begin + width + int(gaps[0] if len(gaps) else len(flat) - begin) - 1, last)
        if not run.rate_moves(course.place(begin), course.place(end)):
            return int(begin), int(end)
    return None


def _hidden_fall(run, begin, end):
    course = run.loss
    first, last = course.place(begin), course.place(end)
    later = float(course.smoothed[end] - np.min(course.smoothed[end:]))
    evidence = {"from": first, "to": last, "gained later": later}
    meaning = (
        f"From {run.unit} {first} to {last} the training loss stood still, and then fell by "
        f"{later / course.gain:.0%} of all it gained: a saddle, or a start that is too slow."
    )
    advice = (
        "Do not stop on a plateau as short as that. Two or three times the rate, momentum or Adam, "
        "and inputs on one scale cross it sooner."
    )
    return Finding("plateau", "warning", evidence, meaning, advice)


def still_falling(run):
    """A loss that was gaining when the run ended."""
    course = run.loss
    trend = course.last_trend if len(course) >= FEWEST else None
    if trend is None or not course.has_fallen or not trend.is_clear:
        return
    part = trend.fall / course.gain
    if part <= LITTLE or list(overfitting(run)):
        return
    evidence = {"gain of the last quarter": trend.fall, "of the gain": part}
    meaning = f"The last quarter of the run still brought {part:.0%} of all that was gained."
    advice = "Train longer, by half as much at least"
    if run.has_come_down:
        advice += ", with a schedule as long as the run"
    advice += ". The verdict says whether a higher rate would have been quicker."
    yield Finding("still falling", "note", evidence, meaning, advice)


def noise_hides_it(run):
    """A loss whose change over the run is no more than chance."""
    course = run.loss
    if len(course) < FEWEST or course.is_flat or abs(course.change) > CHANCE:
        return
    evidence = {"change in standard errors": course.change, "noise": float(course.noise())}
    meaning = (
        "From beginning to end the training loss has changed by no more than its ups and downs "
        "explain."
    )
    advice = (
        "Either the rate is far too small, or it is so large that nothing stays, or there is "
        "nothing to learn: three short runs tell, at a tenth, ten times and a hundred times the "
        "rate; or a range test."
    )
    yield Finding("noise hides it", "warning", evidence, meaning, advice)


def overfitting(run):
    """A validation loss that has turned, while the training loss goes on falling."""
    val, loss = run.val, run.loss
    if val is None or len(val) < FEWEST or len(loss) < FEWEST:
        return
    best = val.lowest
    last = float(np.mean(val.levels[-max(len(val) // 10, 2) :]))
    rise = last - float(val.smoothed[best])
    scale = run.scale(val)
    if scale <= 0.0 or rise <= MUCH * scale or rise <= 3.0 * val.noise():
        return
    at = val.place(best)
    then = int(np.searchsorted(loss.places, at))
    since = float(loss.smoothed[min(then, len(loss) - 1)] - loss.smoothed[-1])
    if since <= 0.0 or since <= 2.0 * loss.late_noise or list(rising(run)):
        return
    evidence = {f"best at {run.unit}": at, "best": float(val.smoothed[best]), "last": last}
    evidence["training loss fell by"] = since
    meaning = (
        f"val_loss was best at {run.unit} {at} and has risen by {rise / scale:.0%} of the gain "
        "since, while the training loss went on falling: the model learns the data by heart. "
        "Mostly that is not the rate's fault."
    )
    advice = (
        f"Stop there (EarlyStopping(restore_best_weights=True)); regularise: {_REGULARISE}; with "
        "ReduceLROnPlateau('val_loss', restore_best='all') a lower rate goes on from the best."
    )
    yield Finding("overfitting", "warning", evidence, meaning, advice)
