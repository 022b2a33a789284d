"""What a picture of a schedule shows, as numbers: the run, its updates, the line and the marks."""

import math

import numpy as np

from keras_lr import checks

# Updates beyond 2**53 have no float64 of their own.
_STEPS = checks.Number(minimum=1, maximum=2**53, integer=True)
_MOST_POINTS = 10_000
_MOST_MARKS = 20
_LONGEST_MARKED = 1_000_000


def run_of(schedules, total_steps=None, epochs=None):
    """Returns the schedules with every duration in updates, and the number of updates to draw.

    Without `total_steps` that is the length of the longest schedule. If `epochs` is not given
    either, a tenth is added, to show what comes after the end.

    >>> from keras_lr.schedules import LinearDecay
    >>> run_of([LinearDecay(0.1, 90)])
    ([LinearDecay(0.1, 90)], 99)
    >>> run_of([LinearDecay(0.1, "50%")], total_steps=40)
    ([LinearDecay(0.1, 20)], 40)
    """
    if epochs is not None:
        checks.POSITIVE("epochs", epochs)
    if total_steps is not None:
        total_steps = _STEPS("total_steps", total_steps)
    schedules = [s.resolve(epochs, total_steps=total_steps) for s in schedules]
    if total_steps is None:
        total_steps = _longest(schedules, margin=0 if epochs else 0.1)
    return schedules, total_steps


def _longest(schedules, margin):
    length = max((schedule.length or 0 for schedule in schedules), default=0)
    if not length:
        raise ValueError(
            "`total_steps` must be given, because none of the schedules has an end. "
            f"Received: total_steps=None with schedules={list(schedules)!r}"
        )
    # Rounded first: 100 * 1.1 is a little more than 110.
    return _STEPS("total_steps", math.ceil(round(length * (1 + margin), 6)))


def updates(total_steps):
    """Returns the updates to draw: all of them, or 10,000 at equal distances; and the end.

    >>> updates(3).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    # At the end the end value is reached, and the last step of a staircase ends.
    points = min(total_steps, _MOST_POINTS) + 1
    return np.linspace(0, total_steps, points).round()


def refuse_on_log_axis(curves):
    """Raises if rates are negative or all 0; a logarithmic axis leaves single zeros out."""
    lowest, highest = min(map(np.min, curves)), max(map(np.max, curves))
    if lowest < 0 or highest <= 0:
        checks.refuse("log", "False where rates are negative or all zero", True)


def outline(steps, rates):
    """Returns the points of a line through all rates, vertical where they jump.

    A jump is a change several times larger than those on either side: a sloping line would show
    rates that no update gets. Other changes are joined by a sloping line, so that a short linear
    decay does not look like a staircase.

    >>> import numpy as np
    >>> steps, rates = outline(np.arange(4), np.array([1.0, 1.0, 0.5, 0.5]))
    >>> steps.tolist(), rates.tolist()
    ([0, 1, 2, 2, 3], [1.0, 1.0, 1.0, 0.5, 0.5])
    """
    change = np.abs(np.diff(rates))
    padded = np.concatenate([[0.0], change, [0.0]])
    beside = np.maximum(padded[:-2], padded[2:])
    noise = 1e-9 * np.maximum(np.abs(rates[:-1]), np.abs(rates[1:]))
    jumps = np.flatnonzero(change > np.maximum(4.0 * beside, noise)) + 1
    if len(rates) - 1 in jumps:
        jumps, rates = jumps[:-1], np.append(rates[:-1], rates[-2])
    return np.insert(steps, jumps, steps[jumps]), np.insert(rates, jumps, rates[jumps - 1])


def marks_of(schedule, total_steps):
    """Returns the updates of the run at which something begins, by kind.

    Of a kind with more than 20 none is returned: the curve shows as much. A run of more than a
    million updates has no marks, because listing its restarts may take minutes.

    >>> from keras_lr.schedules import CosineDecayRestarts
    >>> marks_of(CosineDecayRestarts(0.1, 10, t_mul=1.0).with_warmup(5), 40)
    {'warmup end': [5], 'restart': [15, 25, 35]}
    >>> marks_of(CosineDecayRestarts(0.1, 1, t_mul=1.0).with_warmup(5), 40)
    {'warmup end': [5]}
    """
    if total_steps > _LONGEST_MARKED:
        return {}
    try:
        begun = schedule.marks(total_steps)
    except ValueError:
        # There are more than a list can hold.
        return {}
    marks = {}
    for update, kind in begun:
        # A piece that begins at the end of the run is not part of it.
        if update < total_steps:
            marks.setdefault(kind, []).append(update)
    return {kind: begun for kind, begun in marks.items() if len(begun) <= _MOST_MARKS}
