"""The rule `balanced`, the default."""

import math

from keras_lr.finder.rules.lowest import minimum
from keras_lr.finder.rules.subsequence import valley


def balanced(rates, losses):
    """Returns √(`minimum` · `valley`): the first is high where it errs, the second low.

    >>> import numpy as np
    >>> rates = np.geomspace(1e-6, 1.0, 20)
    >>> losses = np.r_[np.full(4, 3.0), np.linspace(3.0, 1.0, 9), np.linspace(2.0, 9.0, 7)]
    >>> pair = minimum(rates, losses), valley(rates, losses)
    >>> bool(min(pair) <= balanced(rates, losses) <= max(pair))
    True

    The best tail of the known rules on small multilayer networks, for a linear decay to zero.
    """
    lowest, half = minimum(rates, losses), valley(rates, losses)
    return None if lowest is None or half is None else math.sqrt(lowest * half)
