"""The rule `minimum`."""

import numpy as np


def minimum(rates, losses):
    """Returns a tenth of the rate at the lowest loss: there training is about to break.

    >>> minimum(np.array([0.1, 1.0, 10.0]), np.array([3.0, 1.0, 9.0]))
    0.1

    Source: fastai's `minimum`.
    """
    return float(rates[np.argmin(losses)]) / 10.0 if len(rates) else None
