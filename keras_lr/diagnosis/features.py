"""What the verdict looks at in training curves: numbers without unit.

Every feature is a ratio of differences of losses, or a place in the run as a share of its length.
So neither a factor, nor a shift, nor how often was logged changes them, but for what was lost by
logging less often.
"""

import numpy as np

_BINS = 20
# Where the logarithm of a share begins: what is less counts as nothing.
_LEAST = 1e-4
_MOST = 1e4


def binned(values, bins=_BINS):
    """Returns the means over equal parts of the run, each value counting for its share of it.

    >>> binned([4.0, 2.0, 1.0], 2).round(3).tolist()  # (4 + 2/2) / 1.5 and (2/2 + 1) / 1.5
    [3.333, 1.333]
    """
    values = np.asarray(values, "float64")
    count = len(values)
    # The integral is exact at edges between values and linear in between.
    middle = values[count // 2]
    integral = np.concatenate([[0.0], np.cumsum(values - middle)]) / count
    edges = np.linspace(0.0, 1.0, bins + 1)
    return middle + np.diff(np.interp(edges * count, np.arange(count + 1), integral)) * bins


def features(curves):
    """Returns the features of a run by name; NaN where the run has not what they need.

    >>> from keras_lr.diagnosis.run_curves import RunCurves
    >>> found = features(RunCurves(np.linspace(2.0, 1.0, 40)))
    >>> round(found["loss second half"], 3)  # a straight line gains as much late as early
    0.5
    """
    loss, val = _finite(curves.loss), _finite(curves.val_loss)
    found = {"points": np.log10(len(loss)) if len(loss) else np.nan}
    shape = _shape(loss)
    val_shape = _shape(val)
    found |= {f"loss {name}": value for name, value in shape.items()}
    found |= {f"val {name}": value for name, value in val_shape.items()}
    found |= _gap(loss, val)
    found |= _from_initial(loss, val, curves.initial)
    found |= _schedule(curves.rate)
    # What is 0 but for rounding errors, which a shift changes, is 0.
    return {name: round(float(value), 7) for name, value in found.items()}


def _finite(values):
    """Returns the finite values, and none where there are fewer than three."""
    values = np.asarray([] if values is None else values, "float64")
    values = values[np.isfinite(values)]
    if len(values) < 3:
        return values[:0]
    # Squares and sums of what has exploded stay finite.
    return np.clip(values, -1e100, 1e100)


def _shape(values):
    """Returns the shape of one curve: where it falls, how smoothly, and what comes late."""
    names = (
        "first", "early", "quarter", "half", "second half", "last quarter", "last tenth", "area",
        "end over lowest", "highest over first", "lowest at", "highest at", "rises", "late rises",
        "roughness", "late roughness", "late roughness to gain", "noise", "late noise",
        "noise falls", "third to second", "second to first", "after the start", "late shape",
        "late area", "rebound", "jump", "late curvature",
        "reached 50 %", "reached 90 %", "reached 97 %", "last over lowest", "steps go on",
        "trend", "late trend",
    )  # fmt: skip
    if not len(values):
        return dict.fromkeys(names, np.nan)
    c = binned(values)
    size = np.ptp(c)
    if not size > 1e-12 * np.abs(c).max():
        return dict.fromkeys(names, 0.0)
    # Rounded, so that of equal values the first is the lowest, whatever was added to them.
    u = ((c - c.min()) / size).round(9)
    fine = binned(values, min(len(values), 60))
    fine = ((fine - fine.min()) / size).round(9)
    steps, late = np.diff(fine), np.diff(fine)[len(fine) // 2 :]
    bends = np.abs(np.diff(fine, 2)) / np.sqrt(6.0)
    half = len(bends) // 2
    tail = u[_BINS // 4 :]
    rest = max(np.ptp(tail), 1e-9)
    gains = (
        u[1:3].mean() - u[4:6].mean(),
        u[4:6].mean() - u[9:11].mean(),
        u[9:11].mean() - u[-2:].mean(),
    )
    end = u[-2:].mean()
    shape = (
        u[0], u[0] - u[1], u[0] - u[5], u[0] - u[10], u[9:11].mean() - end, u[15] - end,
        u[-4:-2].mean() - end, u.mean(), end, 1.0 - u[0], np.argmin(u) / _BINS, np.argmax(u) / _BINS,
        np.mean(steps > 0), np.mean(late > 0) if len(late) else np.nan,
        _log(np.abs(steps).sum()), _log(np.abs(late).sum()),
        _ratio(np.abs(late).sum(), abs(fine[len(fine) // 2] - fine[-1])),
        _log(np.median(bends)) if len(bends) else np.nan,
        _log(np.median(bends[half:])) if len(bends) else np.nan,
        _ratio(np.median(bends[half:]), np.median(bends[: half + 1])) if len(bends) > 1 else np.nan,
        _ratio(max(gains[2], 0.0), max(gains[1], 0.0)), _ratio(max(gains[1], 0.0), max(gains[0], 0.0)),
        _log(rest), (tail[0] - end) / rest, (tail.mean() - end) / rest,
        (end - tail.min()) / rest, np.max(steps, initial=0.0),
        (u[10] - 2.0 * u[15] + end) / rest,
        *(np.argmax(fine <= share) / len(fine) for share in (0.5, 0.1, 0.03)),
        fine[-1], _goes_on(late), _trend(fine), _trend(fine[len(fine) // 4 :]),
    )  # fmt: skip
    return dict(zip(names, map(float, shape), strict=True))


def _goes_on(steps):
    """Returns how alike successive steps are: about −0.5 in noise, and 1 on a straight line."""
    if len(steps) < 3:
        return np.nan
    return np.sum(steps[1:] * steps[:-1]) / max(np.sum(steps**2), 1e-12)


def _trend(values):
    """Returns the correlation with time: −1 for a straight fall, about 0 for noise alone."""
    values, t = values - values.mean(), np.arange(len(values)) - (len(values) - 1) / 2.0
    return np.sum(values * t) / max(np.sqrt(np.sum(values**2) * np.sum(t**2)), 1e-12)


def _gap(loss, val):
    """Returns how the validation loss lies to the training loss."""
    names = "gap early", "gap late", "gap grows", "gap to late gain", "val size", "val late gain"
    if not len(loss) or not len(val):
        return dict.fromkeys(names, np.nan)
    c, v = binned(loss), binned(val)
    size = max(np.ptp(c), 1e-12 * np.abs(c).max(), 1e-300)
    early, late = (v[:2] - c[:2]).mean() / size, (v[-2:] - c[-2:]).mean() / size
    gain = (c[9:11].mean() - c[-2:].mean()) / size
    val_gain = (v[9:11].mean() - v[-2:].mean()) / size
    gap = (
        _signed(early), _signed(late), _signed(late - early), _ratio(max(late, 0.0), max(gain, 0.0)),
        _ratio(np.ptp(v), size), _signed(val_gain),
    )  # fmt: skip
    return dict(zip(names, map(float, gap), strict=True))


def _from_initial(loss, val, initial):
    """Returns what the loss before training says of the others."""
    names = (
        "gained at first",
        "gained",
        "initial size",
        "highest over initial",
        "end over initial",
        "val over initial",
    )
    if not len(loss) or initial is None or not np.isfinite(initial):
        return dict.fromkeys(names, np.nan)
    c = binned(loss)
    # Where the loss never was below the initial one, its own range is the measure.
    size = max(initial - c.min(), 1e-3 * np.ptp(c))
    if not size > 1e-12 * np.abs(c).max():
        return dict.fromkeys(names, 0.0)
    ends = c[-2:].mean()
    last = binned(val)[-1] if len(val) else np.nan
    found = (
        _signed((initial - c[0]) / size), _signed((initial - ends) / size),
        _ratio(initial - c.min(), np.ptp(c)), _signed((loss.max() - initial) / size),
        _signed((ends - initial) / max(np.ptp(c), size)), _signed((last - initial) / size),
    )  # fmt: skip
    return dict(zip(names, map(float, found), strict=True))


def _schedule(rate):
    """Returns the form of the schedule, without the height of the rate."""
    names = "rate at quarter", "rate at half", "rate late", "rate last", "cuts"
    rate = _finite(rate)
    if not len(rate) or not rate.max() > 0:
        return dict.fromkeys(names, np.nan)
    r = binned(rate / rate.max())
    cuts = np.sum(rate[1:] < 0.75 * rate[:-1])
    return dict(zip(names, map(float, (r[5], r[10], r[15], r[-1], min(cuts, 9))), strict=True))


def _log(value):
    return np.log10(np.clip(value, _LEAST, _MOST))


def _ratio(a, b):
    return np.log10(np.clip((a + 1e-9) / (b + 1e-9) if b >= 0 else np.nan, _LEAST, _MOST))


def _signed(value):
    """The logarithm of what is large, of either sign; what is small stays as it is."""
    return np.sign(value) * np.log1p(min(abs(value), 1e6))
