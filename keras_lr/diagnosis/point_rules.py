"""What single points of a run say: pure functions of a `Run`, each a generator of findings."""

import numpy as np

from keras_lr.diagnosis.findings import Finding
from keras_lr.diagnosis.loss_rules import FEWEST, rising, swings

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


def spike(run):
    """Losses that stand far out and come back."""
    losses = run.curves.loss
    course = run.loss
    if len(losses) < 2 * FEWEST or course.gain <= 0.0:
        return
    if swings(course, run) or list(rising(run)):
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
