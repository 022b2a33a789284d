"""How runs are logged: the same run as one History, CSV file or recorder or another has it."""

import numpy as np

from keras_lr.diagnosis.run_curves import RunCurves


def history(run, i, *, val=True, rate=False, initial=False, part=1.0):
    """Returns run `i` of a sweep's arrays as a History has it, or its first `part`."""
    count = max(int(round(part * run["loss"].shape[1])), 1)
    curves = _arrays(run, i, run["loss"][i], run["val_loss"][i], run["rate"][i])
    return _masked(RunCurves(*(a[:count] for a in curves[:3]), curves.initial), val, rate, initial)


def by_update(run, i, *, every=1, val=True, rate=False, initial=False):
    """Returns run `i` with the batch losses of every so many updates, and validation by epoch."""
    losses = run["updates"][i].astype("float64")
    epochs = run["loss"].shape[1]
    each = len(losses) // epochs
    scores = np.full(len(losses), np.nan)
    scores[each - 1 :: each] = _measured(run["val_loss"][i])
    if every > 1:
        # As loggers do: the last batch's own loss, and the last validation since.
        groups = np.arange(len(losses)) // every
        known = np.flatnonzero(~np.isnan(scores))
        thinned = np.full(groups[-1] + 1, np.nan)
        thinned[groups[known]] = scores[known]
        scores, losses = thinned, losses[every - 1 :: every]
        scores = scores[: len(losses)]
    rates = np.interp(np.arange(len(losses)), np.linspace(0, len(losses), epochs), run["rate"][i])
    curves = _arrays(run, i, losses, scores, rates)._replace(unit="update")
    return _masked(curves, val, rate, initial)


def every_epochs(run, i, every, **masks):
    """Returns run `i` with every so many epochs logged, from the last one back."""
    thin = {name: run[name][:, ::-1][:, ::every][:, ::-1] for name in ("loss", "val_loss", "rate")}
    return history(run | thin, i, **masks)


def varied(run, i, rng):
    """Returns run `i` in a few of the ways in which it may be logged, with parts missing."""

    def masks():
        val, rate, initial = rng.random(3) < (0.75, 0.4, 0.4)
        return {"val": val, "rate": rate, "initial": initial}

    epochs, updates = run["loss"].shape[1], run["updates"].shape[1]
    views = [history(run, i), history(run, i, **masks())]
    if epochs >= 16:
        views.append(every_epochs(run, i, int(rng.integers(2, max(epochs // 7, 2) + 1)), **masks()))
    every = int(np.exp(rng.uniform(0, np.log(updates / 12))))
    views.append(by_update(run, i, every=every, **masks()))
    return views


def _arrays(run, i, loss, val, rate):
    parts = (np.asarray(a, "float64") for a in (loss, val, rate))
    return RunCurves(*parts, float(run["initial"][i]))


def _measured(values):
    """A validation loss that was measured and is no number is infinite: NaN is not measured."""
    return np.where(np.isnan(values), np.inf, values)


def _masked(curves, val, rate, initial):
    return curves._replace(
        val_loss=curves.val_loss if val else None,
        rate=curves.rate if rate else None,
        initial=curves.initial if initial else None,
    )
