"""What is said of a schedule at a glance: its first, highest and last rate, and its marks."""

import itertools
import math

import numpy as np

from keras_lr import checks

_MOST_MARKS = 100_000


def described(schedule, total_steps):
    """Returns the line of `Schedule.describe`."""
    last = schedule.length if total_steps is None else checks.POSITIVE("total_steps", total_steps)
    if last is None:
        raise ValueError(f"{schedule!r} never ends: give describe(total_steps=…).")
    last = min(math.ceil(last), 2**53)
    steps = np.unique(np.linspace(0, last, min(last, 10**6) + 1).round())
    rates = schedule.rates(steps)
    places = {"first": 0, "peak": int(rates.argmax()), "last": -1}
    return ", ".join(
        f"{word} {rates[i]:.4g} at update {int(steps[i])}" for word, i in places.items()
    )


def collected(marks, last):
    """Returns what `Schedule.marks` does, from marks that may be more than memory can hold."""
    marks = list(itertools.islice(marks, _MOST_MARKS + 1))
    if len(marks) > _MOST_MARKS:
        raise ValueError(
            f"`last` must be so low that there are at most {_MOST_MARKS} marks. "
            f"Received: last={last}"
        )
    return tuple(sorted({(t, word) for t, word in marks if 0 < t <= last}))
