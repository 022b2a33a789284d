"""The rule `risen`."""

# On the cells for tuning of tests/benchmarks/range_test_regret.py, where no fall could be seen, a
# quarter to a sixth do about as well.
_PART = 0.2


def risen(curve):
    """Returns a fifth of the rate at which the loss began to diverge; None if it did not.

    What is left where noise hides the fall: the best rate lies below the one that breaks training,
    and seldom far below.

    >>> import numpy as np
    >>> from keras_lr.finder.curve import Curve
    >>> rates, losses = np.geomspace(1e-4, 1.0, 41), np.r_[np.full(30, 2.0), np.arange(3.0, 14.0)]
    >>> round(risen(Curve(rates, losses, head=4, beta=0.9, cut_short=True)), 3)  # from 0.25
    0.05
    >>> risen(Curve(rates, losses, head=4))
    """
    return _PART * curve.rise if curve.cut_short else None
