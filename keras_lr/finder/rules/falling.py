"""The rule `fallen`, the default."""

import numpy as np

# Fitted on 134 cells of tests/benchmarks/range_test_regret.py; the optimum is flat: any part from
# 0.6 to 0.9, with its own factor from 4 to 1.2, does as well.
_PART, _FACTOR = 0.8, 2.0
_BELOW_DIVERGENCE = 0.25


def fallen(curve):
    """Returns twice the rate at which four fifths of the fall are behind.

    At most a quarter of the rate at which the sweep broke off. The lowest loss itself is a matter
    of chance, and where the loss rises again depends on how long a sweep stays at a rate; the rate
    at which most of the fall is done is steady, on noisy losses too. It is read off `centred`, and
    interpolated between updates. None if nothing fell.

    >>> from keras_lr.finder.curve import Curve
    >>> decades = np.linspace(-6, 0, 401)
    >>> losses = np.interp(decades, [-4, -2, -1], [2.0, 1.0, 1.0])  # 1.2 at 10^−2.4 = 0.004
    >>> bool(0.007 < fallen(Curve(10.0**decades, losses, head=40)) < 0.009)
    True

    Source: measured, see tests/benchmarks/range_test_regret.py.
    """
    levels, rates = curve.centred, np.log(curve.rates)
    if not len(levels):
        return None
    target = curve.initial - _PART * (curve.initial - np.min(levels))
    at = int(np.argmax(levels <= target))
    if at == 0:
        return None
    share = (levels[at - 1] - target) / (levels[at - 1] - levels[at])
    rate = _FACTOR * float(np.exp(rates[at - 1] + share * (rates[at] - rates[at - 1])))
    return min(rate, _BELOW_DIVERGENCE * float(curve.rates[-1])) if curve.cut_short else rate
