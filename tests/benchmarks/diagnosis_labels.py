"""What each run of a sweep was, by counterfactual: by the runs beside it, at other rates."""

import dataclasses

import numpy as np

from keras_lr.diagnosis.verdict import VERDICTS

GOOD = 0.03
_DOUBTFUL = 0.01, 0.05
_SMALL, _GOOD, _LARGE, _DIVERGED = range(len(VERDICTS))


@dataclasses.dataclass(frozen=True)
class Labels:
    """`labels` has an index of `VERDICTS` for each run, `regrets` at most 1.

    `doubtful` are the runs whose label would be another with 1 % or 5 % in place of 3 %. In a sweep
    that `is_open` the best rate is at an edge, or nothing was learned: its labels say nothing.
    """

    labels: np.ndarray
    regrets: np.ndarray
    doubtful: np.ndarray
    is_open: bool


def labels_of(run):
    """Returns the `Labels` of a sweep's arrays, by the validation loss at the end.

    Regret is (loss − lowest) / (initial − lowest), where `initial` is the loss before training or
    of the best constant answer, whichever is lower. Good is at most 3 %; what is not is too small
    below the best rate and too large above; there it has diverged where a loss is no number, or the
    training loss ends 5 % above that before training. The validation loss may also be that high
    where the network has learned too much, at a rate that does not diverge.
    """
    # Single evaluations of the best runs are noisy where rates are high: the middle of three.
    last = run["val_loss"][:, -3:] if run["val_loss"].shape[1] >= 30 else run["val_loss"][:, -1:]
    finals = np.where(np.isfinite(last).all(1), np.median(last, 1), np.inf).astype("float64")
    # A network that begins far off, on raw inputs or targets, has learned nothing until it is as
    # good as a constant.
    initial = float(np.fmin(run["val_initial"][0], run["constant"]))
    best = int(np.argmin(finals))
    worth = initial - finals[best]
    is_open = not worth > 0.02 * abs(initial) or best in (0, len(finals) - 1)
    regrets = (finals - finals[best]) / max(worth, 1e-12)
    trained, begun = run["loss"][:, -1].astype("float64"), run["initial"].astype("float64")
    diverged = ~(trained <= begun + 0.05 * np.abs(begun)) | ~np.isfinite(finals)
    at = [_labelled(regrets, best, good, diverged) for good in (GOOD, *_DOUBTFUL)]
    doubtful = (at[0] != at[1]) | (at[0] != at[2])
    return Labels(at[0], np.minimum(regrets, 1.0), doubtful, bool(is_open))


def _labelled(regrets, best, good, diverged):
    above = np.where(diverged, _DIVERGED, _LARGE)
    sides = np.where(np.arange(len(regrets)) < best, _SMALL, above)
    return np.where(regrets <= good, _GOOD, sides)
