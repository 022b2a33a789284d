"""What the verdict is compared with: rules that others have published, and what knows no curve.

Each returns an index of `VERDICTS` for the curves of a run. The rules are those of section 14 of
the survey of the literature, on losses as they were published: not all keep their answer when the
loss is shifted.
"""

import numpy as np

from keras_lr.diagnosis.features import binned
from keras_lr.diagnosis.verdict import VERDICTS

_SMALL, _GOOD, _LARGE, _DIVERGED = range(len(VERDICTS))


def nan_rule(curves):
    """NaN is diverged, else good."""
    return _GOOD if np.isfinite(curves.loss).all() else _DIVERGED


def hand_rules(curves):
    """The symptoms of section 14.2 with their thresholds: the end, roughness, the late gain."""
    loss = curves.loss
    if not np.isfinite(loss).all():
        return _DIVERGED
    first = loss[0] if curves.initial is None else curves.initial
    smooth = binned(loss)
    drop = max(first - smooth.min(), 1e-12)
    if smooth[-1] > 1.05 * first:
        return _DIVERGED
    if loss.max() > 1.6 * first or _roughness(curves.val_loss) > 0.9:
        return _LARGE
    smoothly = np.mean(np.diff(smooth) > 0) < 0.15
    if (smooth[15] - smooth[-1]) / drop > 0.02 and smoothly:
        return _SMALL
    return _GOOD


def autotrainer(curves):
    """Explosion at 1000, oscillation in a fifth of the epochs, slow where no epoch gains 1 %.

    After arXiv 2002.08320's rules, on the loss as a share of its first value in place of accuracy.
    """
    loss = curves.loss
    if not np.isfinite(loss).all() or loss.max() >= 1e3:
        return _DIVERGED
    share = loss / max(abs(loss[0]), 1e-12)
    turns = np.diff(np.sign(np.diff(share))) != 0
    swings = np.abs(np.diff(share))[1:] >= 0.03
    if np.sum(turns & swings) >= 0.2 * len(loss):
        return _LARGE
    return _SMALL if np.max(-np.diff(share), initial=0.0) < 0.01 else _GOOD


def half_of_the_last_gains(curves):
    """Variation alone: rough is too large, what still gains 10 % in the last quarter too small."""
    loss = curves.loss
    if not np.isfinite(loss).all():
        return _DIVERGED
    smooth = binned(loss)
    size = max(np.ptp(smooth), 1e-12)
    late = smooth[-5:]
    slope = (late[0] - late[-1]) / size
    if np.std(np.diff(late)) / size > 0.05:
        return _LARGE
    return _SMALL if slope > 0.1 else _GOOD


def _roughness(values):
    if values is None:
        return 0.0
    values = values[np.isfinite(values)]
    if len(values) < 3:
        return 0.0
    way = max(np.abs(np.diff(values)).sum(), 1e-12)
    return np.log(way / max(abs(values[0] - values[-1]), 1e-12))


class ByRate:
    """What was most often so of runs with the same optimizer within a factor 3 of this rate."""

    def __init__(self, optimizers, rates, labels):
        self._known = np.asarray(optimizers), np.log(rates), np.asarray(labels)

    def __call__(self, optimizer, rate):
        optimizers, logs, labels = self._known
        beside = (optimizers == optimizer) & (np.abs(logs - np.log(rate)) < np.log(3.0))
        return int(np.bincount(labels[beside], minlength=4).argmax()) if beside.any() else _GOOD


RULES = {
    "NaN is diverged, else good": nan_rule,
    "hand rules of the literature": hand_rules,
    "AUTOTRAINER's rules": autotrainer,
    "roughness and late gain": half_of_the_last_gains,
}
