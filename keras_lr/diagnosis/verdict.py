"""The verdict on the learning rate of a run, read from its curves."""

import numpy as np

from keras_lr.diagnosis.features import features

VERDICTS = ("too small", "good", "too large", "diverged")
UNDETERMINED = "undetermined"
# With fewer points nothing can be said of a run that stayed finite.
_FEWEST = 5
_LEAST_CERTAIN = 0.5


def probabilities(curves):
    """Returns the probability of each verdict on the rate of a run.

    >>> from keras_lr.diagnosis.run_curves import RunCurves
    >>> probabilities(RunCurves(np.array([1.0, 2.0, np.nan])))["diverged"] > 0.9
    True
    """
    if not np.isfinite(curves.loss[-1:]).all():
        return dict(zip(VERDICTS, (0.0, 0.01, 0.01, 0.98)))
    f = features(curves)
    weights = np.array([0.1, 1.0, 0.1, 0.05])
    if f["loss end over lowest"] > 0.9 and f["loss lowest at"] < 0.3:
        weights[3] = 5.0
    elif f["val roughness"] > 0.4 or f["loss late roughness to gain"] > 1.5:
        weights[2] = 2.0
    elif f["loss second half"] > 0.2 and f["loss rises"] < 0.2:
        weights[0] = 4.0
    return dict(zip(VERDICTS, map(float, weights / weights.sum())))


def verdict(curves):
    """Returns the verdict on the rate of a run, or "undetermined", and its probabilities."""
    found = probabilities(curves)
    best = max(found, key=found.get)
    short = np.isfinite(curves.loss).sum() < _FEWEST and best != "diverged"
    return UNDETERMINED if short or found[best] < _LEAST_CERTAIN else best, found
