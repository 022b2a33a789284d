"""How high a schedule's peak may be, by its shape."""

import math

import numpy as np

from keras_lr import checks
from keras_lr.schedules.coerce import as_schedule

# tests/benchmarks/range_test_regret.py, 76 cells: the best constant rate is 0.35 to 0.7 of the best
# peak of a linear decay, of warmup-stable-decay 0.5 to 0.7. A quarter and a half err low, at a
# median regret of 0.010 and 0.004; the whole peak had a 90th percentile of 1.3 and 0.44.
_LINEAR, _STABLE = 0.5, 0.85
_CONSTANT_FACTOR = 0.25
_POINTS = 2001


def peak_factor(schedule, total_steps=None):
    """Returns by what a peak that is right for a linear decay to zero is to be multiplied.

    >>> from keras_lr.schedules import CosineDecay, LinearDecay
    >>> [round(peak_factor(s(0.3, 1000)), 2) for s in (LinearDecay, CosineDecay)]
    [1.0, 1.0]
    >>> peak_factor(0.1), peak_factor(LinearDecay(0.1, 100, 0.09))
    (0.25, 0.25)
    """
    if total_steps is not None:
        total_steps = checks.Number(minimum=1, integer=True)("total_steps", total_steps)
    schedule = as_schedule("schedule", schedule).resolve(total_steps=total_steps or _POINTS - 1)
    end = schedule.length if total_steps is None else total_steps
    if not end:
        return _CONSTANT_FACTOR
    rates = schedule.rates(np.linspace(0, end, _POINTS).round())
    peak = float(np.max(rates))
    if rates[-1] > 0.5 * peak:
        return _CONSTANT_FACTOR
    mean = float(np.mean(rates)) / peak
    octaves = min(max((_LINEAR - mean) / (_STABLE - _LINEAR), -1.0), 0.0)
    return math.exp2(octaves)
