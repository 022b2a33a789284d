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
# A spike stands out by so many deviations of the noise, and a share of the gain.
_SPIKE, _SPIKE_OF_GAIN, _MOST_SPIKES = 8.0, 0.15, 0.05


def nan(run):
    """The first point whose loss was no number."""
    for name, losses in (("loss", run.curves.loss), ("val_loss", run.curves.val_loss)):
        bad = _not_numbers(name, losses)
        if not len(bad):
            continue
        first = int(bad[0])
        before = losses[:first][np.isfinite(losses[:first])]
        ends = len(bad) == 1 or first + len(bad) == len(losses)
        goes_on = bool(np.isfinite(losses[-1]))
        evidence = {run.unit: first + 1, "how many": len(bad)}
        if len(before):
            evidence |= {"last": float(before[-1]), "best": float(np.min(before))}
        meaning = f"{name} was NaN or infinite at {run.unit} {first + 1}"
        meaning += ", and a number again later." if goes_on else ", and stayed so to the end."
        if not ends and not goes_on:
            meaning = f"{name} was NaN or infinite from {run.unit} {first + 1} on, now and then."
        yield Finding("nan", "error", evidence, meaning, _advice_after(before, run))
        return


def _not_numbers(name, losses):
    if losses is None:
        return np.zeros(0, int)
    # A validation loss that was not measured is NaN; one that was no number is infinite.
    return np.flatnonzero(~np.isfinite(losses) if name == "loss" else np.isinf(losses))


def _advice_after(before, run):
    if len(before) == 0:
        return (
            "Not one update went well: look for NaN in the data and for log(0) or a division by 0 "
            "in the loss first; then try a tenth of the rate."
        )
    return (
        "Try a tenth of the rate, or a warmup and clipnorm=1.0. If that does not help, look for "
        "NaN and extreme values in the data, and for log(0) in the loss. "
        "RecoverFromDivergence() goes back to the last good state and on at a lower rate."
    )


def not_a_loss(run):
    """Values in [0, 1] that rise fast and then level off, as an accuracy does."""
    course = run.loss
    values = run.curves.loss
    if len(course) < FEWEST or not np.all((values >= 0) & (values <= 1)):
        return
    rise = float(course.levels[-1] - course.levels[0])
    middle = float(course.levels[len(course) // 2] - course.levels[0])
    if rise > 0.1 and course.change < -2 * FEWEST and middle > 0.6 * rise:
        evidence = {"first": float(values[0]), "last": float(values[-1])}
        meaning = (
            f"The loss rises from {values[0]:.3g} to {values[-1]:.3g}, within [0, 1], fast and "
            "then slowly: that is how an accuracy goes."
        )
        yield Finding("not a loss", "error", evidence, meaning, "Give the loss of the run.")


def rising(run):
    """A training loss that has turned and ends far above its best."""
    course = run.loss
    if len(course) < FEWEST or course.is_flat:
        return
    last = course.levels[-max(len(course) // 10, 2) :]
    rise = float(np.min(last) - course.smoothed[course.lowest])
    scale = max(course.gain, rise)
    quiet = float(np.median(last)) - course.smoothed[course.lowest]
    if rise <= 0 or rise < 2 * MUCH * scale or quiet < 2 * run.loss.noise():
        return
    at = course.place(course.lowest)
    above = float(np.median(last)) - course.start
    evidence = {"best": float(course.smoothed[course.lowest]), f"best at {run.unit}": at}
    evidence |= {"last": float(course.levels[-1]), "first": course.start}
    where = "above where it began" if above > 0 else "above its best"
    meaning = f"The training loss has risen since {run.unit} {at} and ends {where}."
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
        evidence = {"of": name, "swing": swing, "of the gain": part}
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
    if len(course) < 2 * FEWEST or scale <= 0.0 or course.late_noise <= allowed * scale:
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


def plateau(run):
    """A loss that stood still, without an end in sight or with a further fall after it."""
    course = run.loss
    if len(course) < FEWEST:
        return
    if course.is_flat:
        meaning = "The training loss has not moved at all: no update changes what it measures."
        advice = (
            "The rate is 0 or tiny, weights are frozen, or the model's answer is stuck (dead "
            "units, a saturated output). Try ten times the rate once, then look at the model."
        )
        evidence = {"loss": float(course.levels[0]), "points": len(run.curves.loss)}
        yield Finding("plateau", "warning", evidence, meaning, advice)
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
    advice = "Train longer"
    if part > MUCH:
        advice += ", or raise the rate by two or three times"
    if run.has_come_down:
        advice += ", with a schedule as long as the run"
    yield Finding("still falling", "note", evidence, meaning, f"{advice}.")


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
    if since <= 0.0 or since <= 2.0 * loss.late_noise:
        return
    evidence = {f"best at {run.unit}": at, "best": float(val.smoothed[best]), "last": last}
    evidence["training loss fell by"] = since
    meaning = (
        f"val_loss was best at {run.unit} {at} and has risen by {rise / scale:.0%} of the gain "
        "since, while the training loss went on falling: the model learns the data by heart. "
        "Mostly that is not the rate's fault."
    )
    advice = (
        f"Stop there (EarlyStopping(restore_best_weights=True)), or regularise: {_REGULARISE}; with "
        "ReduceLROnPlateau('val_loss', restore_best='all') a lower rate goes on from the best."
    )
    yield Finding("overfitting", "warning", evidence, meaning, advice)


def spike(run):
    """Losses that stand far out and come back."""
    losses = run.curves.loss
    course = run.loss
    if len(losses) < 2 * FEWEST or course.gain <= 0.0 or swings(course, run) or list(rising(run)):
        return
    begins, heights, back = _spikes(run)
    if not len(begins) or len(begins) > max(_MOST_SPIKES * len(losses), 1):
        return
    worst = int(np.argmax(heights))
    at, height = int(begins[worst]) + 1, float(heights[worst])
    evidence = {"how many": len(begins), f"worst at {run.unit}": at, "height": height}
    evidence["back after"] = int(back[worst]) if back[worst] else None
    came_back = bool(np.all(back))
    count = "once" if len(begins) == 1 else f"{len(begins)} times"
    meaning = (
        f"The training loss jumped {count}, the most at {run.unit} {at}, by "
        f"{height / course.gain:.0%} of all it gained, and "
        f"{'came back' if came_back else 'did not come back'}."
    )
    advice = (
        "Once is no fault. If it comes again: clipnorm=1.0 in the optimizer, a longer warmup, or a "
        "third of the rate; look at the batch that did it."
    )
    rose = run.rate_rises_at(at - 1)
    if rose is not None:
        evidence["rate rose by"] = rose
        meaning += f" The rate had just risen by a factor of {rose:.3g}."
        advice = "It is the rise of the rate: let it rise less, or more slowly."
    severity = "note" if came_back else "warning"
    yield Finding("spike", severity, evidence, meaning, advice)


def _spikes(run):
    """Returns where spikes begin, how high each is, and after how many points it is gone (or 0)."""
    losses = run.curves.loss
    # The median of the three before; the beginning may be anything.
    a, b, c = losses[:-3], losses[1:-2], losses[2:-1]
    level = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    height = losses[3:] - level
    least = max(_SPIKE * run.noise_of_points, _SPIKE_OF_GAIN * run.loss.gain)
    out = np.flatnonzero(np.isfinite(height) & (height > least))
    reach = max(3, len(losses) // 20)
    begins = out[np.diff(out, prepend=-reach - 1) > reach]
    heights, back = [], []
    for i in begins[:1000]:
        after = losses[i + 3 : i + 3 + reach]
        heights.append(float(np.nanmax(after)) - level[i])
        below = np.flatnonzero(after <= level[i] + 0.5 * least)
        back.append(int(below[0]) if len(below) else 0)
    return begins[:1000] + 3, np.array(heights), np.array(back)
