"""The rule `slide`."""

import numpy as np

_GAP = 1.2  # decades between the two points, as in fastai: 15 of 100 steps over 8 decades
_LEVEL = 0.012  # the difference in slope, in parts of the whole fall per factor e of the rate

_BEGIN = 0.01


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
    apart = np.abs(slopes[gap:] - slopes[:-gap]) > _LEVEL * scale
    agreeing = np.flatnonzero(~apart)
    if len(agreeing) == 0:
        return None
    # The last position before the slopes agree, as in fastai.
    last = min(int(agreeing[-1]) + 1, len(apart) - 1)
    return float(rates[last]) if losses[last] < losses[0] - _BEGIN * scale else None
