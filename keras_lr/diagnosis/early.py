"""What can be said with confidence while a run is going on."""

from keras_lr.diagnosis import loss_rules, point_rules
from keras_lr.diagnosis.course import CLEAR
from keras_lr.diagnosis.findings import Finding
from keras_lr.diagnosis.run import Run

# Fewer points than that and a smaller part of the run say nothing of a loss that does not move.
_FEWEST, _PART = 8, 0.25


def warning_of(curves, planned=None):
    """Returns a `Finding` about a run that goes on and is lost, or None.

    It is lost where the loss is no number, where it has risen above its start by more than chance,
    or where, a quarter of the `planned` points on, it has not moved by more than chance.

    >>> import numpy as np
    >>> from keras_lr.diagnosis.run_curves import RunCurves
    >>> warning_of(RunCurves(np.array([2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), initial=1.9)).name
    'diverging'
    >>> warning_of(RunCurves(np.array([2.0, 1.5, 1.2, 1.1, 1.0, 0.9]), initial=1.9))
    """
    run = Run(curves)
    found = next(point_rules.nan(run), None)
    if found is not None or len(run.loss) < loss_rules.FEWEST:
        return found
    course = run.loss
    evidence = {"points": len(curves.loss), "start": course.start, "now": float(course.levels[-1])}
    if course.change < -CLEAR and min(course.levels[-2:]) > max(course.start, course.levels[0]):
        meaning = "The training loss is above where it began, and by more than chance."
        advice = "Stop, and try a tenth of the rate."
        return Finding("diverging", "error", evidence, meaning, advice)
    enough = len(curves.loss) >= max(_FEWEST, _PART * (planned or 0))
    if enough and (course.is_flat or abs(course.change) < loss_rules.CHANCE):
        meaning = (
            f"After {len(curves.loss)} {curves.unit}s the training loss has not moved by more than "
            "its ups and downs."
        )
        advice = (
            "The rate is far too small (try ten times it), or so large that it broke the network "
            "at once (try a tenth), or there is nothing to learn."
        )
        return Finding("does not move", "warning", evidence, meaning, advice)
    return None
