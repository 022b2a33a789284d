"""The rule `steepest`."""

import numpy as np


def steepest(rates, losses):
    """Returns the rate where the loss falls fastest per factor of the rate, before its lowest.

    argmin of d loss / d ln rate, by central differences, the first tenth of the points left out.
    Over the rate itself, as some finders have it, the slope is divided by the rate, and the
    smallest rates win.

    >>> rates = np.geomspace(0.01, 1.0, 5)
    >>> float(round(steepest(rates, np.array([3.0, 2.9, 2.0, 1.0, 5.0])), 6))
    0.316228

    Source: Smith, arXiv 1506.01186; pytorch-lr-finder's default.
    """
    skip = len(losses) // 10
    end = int(np.argmin(losses)) + 1 if len(losses) else 0
    rates, losses = rates[skip:end], losses[skip:end]
    if len(losses) < 3:
        return None
    slopes = np.gradient(losses, np.log(rates))
    return float(rates[np.argmin(slopes)]) if slopes.min() < 0 else None
