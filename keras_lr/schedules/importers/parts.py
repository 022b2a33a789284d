"""What the translations have in common: warmups of t / W, sequences and half cosines."""

from keras_lr.schedules.annealing import LinearDecay
from keras_lr.schedules.compose import Sequential
from keras_lr.schedules.function import as_schedule
from keras_lr.schedules.keras_schedules import CosineDecay


def warmed_up(schedule, start, peak, steps, curve=LinearDecay):
    """Returns `schedule` after a climb by t / steps, which is at `start` in its first update."""
    return schedule if steps == 0 else curve(start, steps, peak).then(schedule, steps)


def in_turn(schedules, boundaries):
    """Returns one schedule after the other, each from its 0, or the only one there is."""
    schedules, boundaries = list(schedules), list(boundaries)
    single = len(schedules) == 1 and not boundaries
    return as_schedule("schedules", schedules[0]) if single else Sequential(schedules, boundaries)


def cosine(peak, steps, end):
    """Returns half a cosine from `peak` to `end`, which is held."""
    return CosineDecay(peak, steps, alpha=end / peak if peak else 0.0)
