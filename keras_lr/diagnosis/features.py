"""What the verdict looks at in training curves: numbers without unit.

Every feature is a ratio of differences of losses, or a place in the run as a share of its length.
So neither a factor, nor a shift, nor how often was logged changes them, but for what was lost by
logging less often.
"""

import numpy as np

_BINS = 20
# Roughness is looked at in so many parts, or in single points where there are fewer.
_FINE_BINS = 60
# Between these are the logarithms of ratios: what is less counts as nothing.
_LEAST, _MOST = 1e-4, 1e4
# A range that is less, as a share of the values, is rounding.
_ROUNDING = 1e-12
_LARGEST = 1e100


def binned(values, bins=_BINS):
    """Returns the means over equal parts of the run, each value counting for its share of it.

    >>> binned([4.0, 2.0, 1.0], 2).round(3).tolist()  # (4 + 2/2) / 1.5 and (2/2 + 1) / 1.5
    [3.333, 1.333]
    """
    values = np.asarray(values, "float64")
    count = len(values)
    middle = values[count // 2]
    integral = np.concatenate([[0.0], np.cumsum(values - middle)]) / count
    edges = np.linspace(0.0, count, bins + 1)
    return middle + np.diff(np.interp(edges, np.arange(count + 1), integral)) * bins


def features(curves):
    """Returns the features of a run by name; NaN where the run has not what they need.

    >>> from keras_lr.diagnosis.run_curves import RunCurves
    >>> features(RunCurves(np.linspace(2.0, 1.0, 40)))["loss trend"]  # a straight fall
    -1.0
    """
    loss, val, rate = map(_finite, (curves.loss, curves.val_loss, curves.rate))
    initial = np.array([curves.initial], "float64")
    loss, val, initial = _bounded(loss, val, initial[np.isfinite(initial)])
    found = {"points": np.log10(len(loss)) if len(loss) else np.nan}
    for name, values in (("loss", loss), ("val", val)):
        shape = _named(_shape, _SHAPE, values)
        found |= {f"{name} {key}": value for key, value in shape.items()}
    found |= _named(_gap, _GAP, loss, val)
    found |= _named(_from_initial, _FROM_INITIAL, loss, initial, val)
    found |= _named(_schedule, _SCHEDULE, rate)
    # What is 0 but for rounding errors, which a shift changes, is 0.
    return {name: round(float(value), 7) for name, value in found.items()}


def _named(function, names, *parts):
    """Returns what a function says of parts of a run; NaN where one of the first two is empty."""
    if all(len(part) for part in parts[:2]):
        return function(*parts)
    return dict.fromkeys(names, np.nan)


def _finite(values):
    """Returns the finite values, and none where there are fewer than three."""
    values = np.asarray([] if values is None else values, "float64")
    values = values[np.isfinite(values)]
    return values if len(values) >= 3 else values[:0]


def _bounded(*parts):
    """Returns all parts on one scale, so that squares and sums of what has exploded are finite."""
    largest = max(np.max(np.abs(part), initial=0.0) for part in parts)
    return [part / largest * _LARGEST for part in parts] if largest > _LARGEST else parts


def _shape(values):
    """Returns the shape of one curve: where it falls, how smoothly, and what comes late."""
    means = binned(values)
    size = np.ptp(means)
    if not size > _ROUNDING * np.abs(means).max():
        return dict.fromkeys(_SHAPE, 0.0)
    # Rounded, so that of equal values the first is the lowest, whatever was added to them.
    u = ((means - means.min()) / size).round(9)
    fine = binned(values, min(len(values), _FINE_BINS))
    fine = ((fine - fine.min()) / size).round(9)
    return _falls(u) | _late(u) | _roughness(fine) | _reached(fine)


def _falls(u):
    end = u[-2:].mean()
    # The gains of three parts, each as long as all before it.
    gains = -np.diff([u[1:3].mean(), u[4:6].mean(), u[9:11].mean(), end])
    gains = np.maximum(gains, 0.0)
    return {
        "first": u[0],
        "early": u[0] - u[1],
        "quarter": u[0] - u[5],
        "half": u[0] - u[10],
        "second half": u[9:11].mean() - end,
        "last quarter": u[15] - end,
        "last tenth": u[-4:-2].mean() - end,
        "area": u.mean(),
        "end over lowest": end,
        "lowest at": np.argmin(u) / len(u),
        "highest at": np.argmax(u) / len(u),
        "third to second gain": _ratio(gains[2], gains[1]),
        "second to first gain": _ratio(gains[1], gains[0]),
    }


def _late(u):
    """Returns the shape of the last three quarters, in their own range."""
    late, end = u[len(u) // 4 :], u[-2:].mean()
    size = max(np.ptp(late), 1e-9)
    return {
        "late size": _log(size),
        "late fall": (late[0] - end) / size,
        "late area": (late.mean() - end) / size,
        "late rebound": (end - late.min()) / size,
        "late curvature": (u[10] - 2.0 * u[15] + end) / size,
    }


def _roughness(fine):
    half = len(fine) // 2
    steps = np.diff(fine)
    late = steps[half:]
    # Second differences of noise have √6 times its deviation.
    bends = np.abs(np.diff(fine, 2)) / np.sqrt(6.0)
    late_bends = bends[len(bends) // 2 :]
    found = {
        "rises": np.mean(steps > 0),
        "late rises": np.mean(late > 0),
        "jump": np.max(steps, initial=0.0),
        "way": _log(np.abs(steps).sum()),
        "late way": _log(np.abs(late).sum()),
        "late way to gain": _ratio(np.abs(late).sum(), abs(fine[half] - fine[-1])),
        "noise": _log(np.median(bends)),
        "late noise": _log(np.median(late_bends)),
        "noise grows": _ratio(np.median(late_bends), np.median(bends[: len(bends) // 2 + 1])),
        "trend": _trend(fine),
        "late trend": _trend(fine[len(fine) // 4 :]),
    }
    # How alike successive steps are: about −0.5 in noise, and 1 on a straight line.
    alike = np.sum(late[1:] * late[:-1]) / max(np.sum(late**2), 1e-12)
    return found | {"steps go on": alike if len(late) > 2 else np.nan}


def _reached(fine):
    shares = {"reached 50 %": 0.5, "reached 90 %": 0.1, "reached 97 %": 0.03}
    reached = {name: np.argmax(fine <= share) / len(fine) for name, share in shares.items()}
    return reached | {"last over lowest": fine[-1]}


def _trend(values):
    """Returns the correlation with time: −1 for a straight fall, about 0 for noise alone."""
    values, t = values - values.mean(), np.arange(len(values)) - (len(values) - 1) / 2.0
    return np.sum(values * t) / max(np.sqrt(np.sum(values**2) * np.sum(t**2)), 1e-12)


def _gap(loss, val):
    """Returns how the validation loss lies to the training loss, in the range of the latter."""
    c, v = binned(loss), binned(val)
    size = np.ptp(c)
    if not size > _ROUNDING * np.abs(c).max():
        return dict.fromkeys(_GAP, 0.0)
    early, late = ((v[part] - c[part]).mean() / size for part in (slice(2), slice(-2, None)))
    gain, val_gain = ((x[9:11].mean() - x[-2:].mean()) / size for x in (c, v))
    return {
        "gap early": _signed(early),
        "gap late": _signed(late),
        "gap grows": _signed(late - early),
        "gap to late gain": _ratio(max(late, 0.0), max(gain, 0.0)),
        "val size": _ratio(np.ptp(v) / size, 1.0),
        "val late gain": _signed(val_gain),
    }


def _from_initial(loss, initial, val):
    """Returns what the loss before training says of the others."""
    c, initial = binned(loss), initial[0]
    end, last = c[-2:].mean(), binned(val)[-1] if len(val) else np.nan
    # Where the loss never was below the initial one, its own range is the measure.
    size = max(initial - c.min(), 1e-3 * np.ptp(c))
    if not size > _ROUNDING * np.abs(c).max():
        return dict.fromkeys(_FROM_INITIAL, 0.0)
    return {
        "gained at first": _signed((initial - c[0]) / size),
        "gained": _signed((initial - end) / size),
        "gained to range": _ratio(max(initial - c.min(), 0.0) / size, np.ptp(c) / size),
        "highest over initial": _signed((loss.max() - initial) / size),
        "end over initial": _signed((end - initial) / max(np.ptp(c), size)),
        "val over initial": _signed((last - initial) / size),
    }


def _schedule(rate):
    """Returns the form of the schedule, without the height of the rate."""
    if not rate.max() > 0:
        return dict.fromkeys(_SCHEDULE, np.nan)
    r = binned(rate / rate.max())
    return {
        "rate at quarter": r[5],
        "rate at half": r[10],
        "rate late": r[15],
        "rate last": r[-1],
        "cuts": min(np.sum(rate[1:] < 0.75 * rate[:-1]), 9),
    }


def _log(value):
    return np.log10(np.clip(value, _LEAST, _MOST))


def _ratio(a, b):
    return _log((a + 1e-9) / (b + 1e-9))


def _signed(value):
    """The logarithm of what is large, of either sign; what is small stays as it is."""
    return np.sign(value) * np.log1p(min(abs(value), 1e6))


# The names, from a run that has all.
_RUN = np.array([3.0, 1.0, 2.0, 0.0])
_SHAPE, _GAP, _FROM_INITIAL, _SCHEDULE = map(
    tuple, (_shape(_RUN), _gap(_RUN, _RUN), _from_initial(_RUN, _RUN, _RUN), _schedule(_RUN))
)
