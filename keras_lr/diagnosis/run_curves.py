"""`RunCurves`: what a run has logged, as arrays."""

from typing import NamedTuple

import numpy as np


class RunCurves(NamedTuple):
    """What a run has logged, point by point, in float64 arrays of one length.

    A point is an epoch or an update, as `unit` says. `loss` is the training loss, as it was: of an
    epoch the mean of its batches, of an update that of its batch; NaN or infinite where it was.
    `val_loss` is NaN where it was not measured, and infinite where it was measured and no number;
    None where it never was. `rate` is the rate applied in the point (in an epoch, by its last
    update), None where it is not known. `initial` is the loss before the first update, None where
    it is not known.

    >>> curves = RunCurves(np.array([2.0, 1.0]), initial=3.0)
    >>> curves.val_loss is None, curves.unit
    (True, 'epoch')
    """

    loss: np.ndarray
    val_loss: np.ndarray | None = None
    rate: np.ndarray | None = None
    initial: float | None = None
    unit: str = "epoch"
