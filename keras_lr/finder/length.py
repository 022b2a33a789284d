"""The best peak rate falls with the length of the run."""

import math

# Fitted on the tasks for tuning of tests/benchmarks/regret_tasks.py, where −0.2 to −0.5 and −0.5 to
# −1 do about as well.
_FRESH, _REPEATED = 0.3, 0.75
# Beyond the first pass where the run itself goes back, and on lower, when validation stalls, as
# `AutoLearningRate` does: it learns by heart no further. There 0 to 0.5 do about as well; with 0.75
# the regret after 5,000 updates is worse by 0.07 ± 0.04, between such runs at 14 peaks.
_REACTING = 0.2
# What a run of unknown length is taken for: short runs of small models are of 200 to 1,000 updates.
# On the same tasks it is as good as any from 300 to 1,000, and better than the sweep's own length.
UNTOLD = 500


def peak_factor(total_steps, length, updates_per_epoch=None, reacts=False):
    """Returns by what a peak that is right for `length` updates is to be multiplied for others.

    The best peak of a run falls as total_steps^(−0.3) within the first pass over the data, of
    `updates_per_epoch`, and as total_steps^(−0.75) beyond, where what has been learnt by heart is
    learnt again; as total_steps^(−0.2) there if the run `reacts`, going back and on at a lower rate
    where validation stalls. None is data that do not come to an end. A shorter run than those that
    were tried is not known to bear much more: for it the first exponent holds.

    >>> round(peak_factor(3200, 100), 3), round(peak_factor(3200, 100, 100), 3)
    (0.354, 0.074)
    >>> peak_factor(100, 100, 10), round(peak_factor(50, 100, 10), 3)
    (1.0, 1.231)
    >>> round(peak_factor(3200, 100, 100, reacts=True), 3)
    0.5

    Source: tests/benchmarks/range_test_regret.py; within one pass, arXiv 2409.19913 has −0.32.
    """
    passes = updates_per_epoch or math.inf
    if total_steps < length:
        passes = math.inf
    beyond = _REACTING if reacts else _REPEATED

    def logarithm(steps):
        return -_FRESH * math.log(min(steps, passes)) - beyond * math.log(max(steps / passes, 1))

    return math.exp(logarithm(total_steps) - logarithm(length))
