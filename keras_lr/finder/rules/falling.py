"""The rule `fallen`, the default."""

import math

import numpy as np

# On the cells for tuning of tests/benchmarks/range_test_regret.py, parts from 0.85 to 0.95 do about
# as well, and 0.35 to 0.7 of the rate at which the loss rises. Deep networks with plain SGD, which
# are not among them, want the lowest.
_PART, _OF_RISE = 0.95, 0.35


def fallen(curve):
    """Returns the rate at which 95 % of the fall are behind, as a run would feel it.

    The lowest loss is a matter of chance, and so is where it rises again; most of the fall is
    behind at much the same rate however noisy the losses. Read off `centred`, and interpolated
    between updates. None if nothing fell.

    A sweep passes a rate in a moment, with ln g more of it every update. Two things follow.

    * **Steps.** It moves the weights by rate/ln g in all. Where the loss falls because the weights
      get there, the rate that is read is proportional to ln g; where the fall ends because the rate
      is too high to go on, it does not depend on it. Between the two lies √(ln g), by which it is
      divided.
    * **Momentum.** An update consists of gradients that are k updates old by parts (1 − β)·βᵏ, from
      when rates were gᵏ times lower. The rate is multiplied by the mean of g⁻ᵏ, which is
      (1 − β)/(1 − β/g): 1 without momentum, 0.37 at β = 0.9 and 100 updates over 9 decades.

    Neither has a constant that was fitted. From 100 to 300 updates the rate that is read falls by
    0.22 decades without momentum and 0.41 with it, in the median; by these two 0.24 and 0.47.
    It is at most about a third of `rise`, to err low.

    >>> from keras_lr.finder.curve import Curve
    >>> decades = np.linspace(-6, 0, 401)
    >>> losses = np.interp(decades, [-4, -2, -1], [2.0, 1.0, 1.0])  # 1.05 at 10^−2.1 = 0.0079
    >>> at = fallen(Curve(10.0**decades, losses, head=40))
    >>> bool(0.0079 < at * np.sqrt(6 * np.log(10) / 400) < 0.0112)
    True

    Source: tests/benchmarks/range_test_regret.py, whose figures are in the README.
    """
    levels, rates = curve.centred, np.log(curve.rates)
    if not len(levels):
        return None
    target = curve.initial - _PART * (curve.initial - np.min(levels))
    at = int(np.argmax(levels <= target))
    if at == 0:
        return None
    share = (levels[at - 1] - target) / (levels[at - 1] - levels[at])
    read = math.exp(rates[at - 1] + share * (rates[at] - rates[at - 1]))
    late = (1.0 - curve.momentum) / (1.0 - curve.momentum * math.exp(-curve.growth))
    return min(read * late / math.sqrt(curve.growth), _OF_RISE * curve.rise)
