"""The rule `fallen`, the default."""

import numpy as np

# Chosen on 63 cells of tests/benchmarks/range_test_regret.py, on which any part from 0.75 to 0.95,
# times a factor of its own from 2 to 0.8, does about as well; and a third to a sixth as a quarter.
_PART, _OF_DIVERGENCE = 0.9, 0.25


def fallen(curve):
    """Returns the rate at which nine tenths of the fall are behind.

    At most a quarter of the rate at which the loss diverged. The lowest loss is a matter of chance,
    and so is where it rises again; most of the fall is behind at much the same rate however noisy
    the losses. Read off `centred`, and interpolated between updates. None if nothing fell.

    >>> from keras_lr.finder.curve import Curve
    >>> decades = np.linspace(-6, 0, 401)
    >>> losses = np.interp(decades, [-4, -2, -1], [2.0, 1.0, 1.0])  # 1.1 at 10^−2.2 = 0.0063
    >>> bool(0.0063 < fallen(Curve(10.0**decades, losses, head=40)) < 0.01)
    True

    Measured on 77 cells of other networks and data than it was chosen on, as the regret of a linear
    decay to zero from there, (loss − best)/(initial − best): median 0.013 ± 0.006, 90th percentile
    0.13 ± 0.04; `minimum` 0.025 and 0.16, `valley` 0.070 and 0.38, Adam 1e-3 or SGD 1e-2 0.25 and
    1.0. Source: tests/benchmarks/range_test_regret.py.
    """
    levels, rates = curve.centred, np.log(curve.rates)
    if not len(levels):
        return None
    target = curve.initial - _PART * (curve.initial - np.min(levels))
    at = int(np.argmax(levels <= target))
    if at == 0:
        return None
    share = (levels[at - 1] - target) / (levels[at - 1] - levels[at])
    rate = float(np.exp(rates[at - 1] + share * (rates[at] - rates[at - 1])))
    return min(rate, _OF_DIVERGENCE * float(curve.rates[-1])) if curve.cut_short else rate
