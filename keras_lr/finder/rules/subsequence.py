"""The rule `valley`."""

import numpy as np

_BEGIN = 0.01


def valley(rates, losses):
    """Returns the rate halfway along the longest falling subsequence of the losses.

    The first tenth and the last 5 points are left out; the point is member ⌊L/3⌋ + ⌊L/6⌋ of the
    L members. Mended: fastai takes their indices to be contiguous, which they are not, and counts
    from the first rate on, also where an almost flat loss falls by less than nothing; here the
    members begin where 1 % of the whole fall is behind.

    >>> rates = np.geomspace(1e-6, 1.0, 20)
    >>> losses = np.r_[np.full(4, 3.0), np.linspace(3.0, 1.0, 9), np.linspace(2.0, 9.0, 7)]
    >>> bool(valley(rates, losses) == rates[8])
    True

    Source: fastai's `valley`.
    """
    skip = len(losses) // 10
    rates, losses = rates[skip:-5], losses[skip:-5]
    if len(losses) < 3:
        return None
    begin = np.flatnonzero(losses < losses[0] - _BEGIN * (losses[0] - losses.min()))
    if len(begin) == 0:
        return None
    rates, losses = rates[begin[0] :], losses[begin[0] :]
    lengths, before = np.ones(len(losses), int), np.full(len(losses), -1)
    for i in range(1, len(losses)):
        higher = np.where(losses[:i] > losses[i], lengths[:i], 0)
        if higher.max() > 0:
            before[i] = int(np.argmax(higher))
            lengths[i] = higher[before[i]] + 1
    members = [int(np.argmax(lengths))]
    while before[members[-1]] >= 0:
        members.append(int(before[members[-1]]))
    count = len(members)
    if count < 3:
        return None
    return float(rates[members[::-1][count // 3 + count // 6]])
