"""Rules that read a rate off a range test.

Those of others are pure functions of rates and smoothed losses; ours take the whole curve, which
knows its end and its optimizer's momentum. Rates rise, losses are finite; what finds nothing
returns None.
"""

import math

import numpy as np

# A fall begins where this part of it is behind.
_BEGIN = 0.01
# `slide`: decades between its two points, as in fastai: 15 of 100 steps over 8 decades; and the
# difference in slope, in parts of the whole fall per factor e of the rate.
_GAP, _SLOPES_AGREE = 1.2, 0.012
# `risen`. On an earlier family of tasks, judged by the training loss, where no fall could be
# seen, a quarter to a sixth do about as well.
_OF_RISE_ALONE = 0.2
# `fallen`. On those tasks, parts of the fall from 0.85 to 0.95 do about as well, and 0.35 to 0.7 of
# the rate at which the loss rises. Deep networks with plain SGD, which are not among them, want the
# lowest.
_PART, _OF_RISE = 0.95, 0.35


def minimum(rates, losses):
    """Returns a tenth of the rate at the lowest loss: there training is about to break.

    >>> minimum(np.array([0.1, 1.0, 10.0]), np.array([3.0, 1.0, 9.0]))
    0.1

    Source: fastai's `minimum`.
    """
    return float(rates[np.argmin(losses)]) / 10.0 if len(rates) else None


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
    members = _longest_fall(losses)
    count = len(members)
    return float(rates[members[count // 3 + count // 6]]) if count >= 3 else None


def _longest_fall(losses):
    """Returns the indices of the longest falling subsequence, the first of several."""
    lengths, before = np.ones(len(losses), int), np.full(len(losses), -1)
    for i in range(1, len(losses)):
        higher = np.where(losses[:i] > losses[i], lengths[:i], 0)
        if higher.max() > 0:
            before[i] = int(np.argmax(higher))
            lengths[i] = higher[before[i]] + 1
    members = [int(np.argmax(lengths))]
    while before[members[-1]] >= 0:
        members.append(int(before[members[-1]]))
    return members[::-1]


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


def slide(rates, losses):
    """Returns the lower end of an interval slid down from the right until its slopes agree.

    The interval spans 1.2 decades and moves left while the slopes d loss / d ln rate at its two
    ends differ by more than 1.2 % of what the loss has fallen; fastai's own threshold, 0.005 per
    step, is in the loss's unit. None if it has to slide to where 1 % of the fall is not yet behind.

    >>> rates = np.geomspace(1e-4, 1.0, 41)
    >>> losses = np.where(rates < 0.1, 2.0 - 0.2 * np.log(rates / 1e-4), 9.0 * rates)
    >>> bool(0.001 < slide(rates, losses) < 0.01)
    True

    Source: fastai's `slide` (Novetta).
    """
    if len(losses) < 3:
        return None
    scale = float(losses[0] - np.min(losses))
    decades = np.log10(rates[-1] / rates[0]) / (len(rates) - 1)
    gap = max(1, round(_GAP / decades))
    if scale <= 0 or gap >= len(rates):
        return None
    slopes = np.gradient(losses, np.log(rates))
    apart = np.abs(slopes[gap:] - slopes[:-gap]) > _SLOPES_AGREE * scale
    agreeing = np.flatnonzero(~apart)
    if len(agreeing) == 0:
        return None
    # The last position before the slopes agree, as in fastai.
    last = min(int(agreeing[-1]) + 1, len(apart) - 1)
    return float(rates[last]) if losses[last] < losses[0] - _BEGIN * scale else None


def risen(curve):
    """Returns a fifth of the rate at which the loss began to diverge; None if it did not.

    What is left where noise hides the fall: the best rate lies below the one that breaks training,
    and seldom far below.

    >>> from keras_lr.finder.curve import Curve
    >>> rates, losses = np.geomspace(1e-4, 1.0, 41), np.r_[np.full(30, 2.0), np.arange(3.0, 14.0)]
    >>> round(risen(Curve(rates, losses, head=4, beta=0.9, cut_short=True)), 3)  # from 0.25
    0.05
    >>> risen(Curve(rates, losses, head=4))
    """
    return _OF_RISE_ALONE * curve.rise if curve.cut_short else None


def fallen(curve):
    """Returns the rate at which 95 % of the fall are behind, as a run would feel it: the default.

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

    It is at most about a third of `rise`, to err low.

    >>> from keras_lr.finder.curve import Curve
    >>> decades = np.linspace(-6, 0, 401)
    >>> losses = np.interp(decades, [-4, -2, -1], [2.0, 1.0, 1.0])  # 1.05 at 10^−2.1 = 0.0079
    >>> at = fallen(Curve(10.0**decades, losses, head=40))
    >>> bool(0.0079 < at * np.sqrt(6 * np.log(10) / 400) < 0.0112)
    True

    Source: tests/benchmarks/range_test_regret.py, whose figures are in docs/finding.md.
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


KNOWN = (minimum, valley, steepest, slide)
OURS = (risen, fallen)
NAMES = tuple(rule.__name__ for rule in (*KNOWN, *OURS))
# What a curve was seen to do leaves this to read a rate off.
DEFAULTS = {"ok": fallen, "only rose": risen}


def suggestions(curve):
    """Returns the rate that each rule suggests, or None, by its name."""
    found = {rule.__name__: rule(curve.rates, curve.smoothed) for rule in KNOWN}
    return found | {rule.__name__: rule(curve) for rule in OURS}
