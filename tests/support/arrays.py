"""Arrays of every back end, as NumPy's."""

import numpy as np
from keras import ops


def to_numpy(value):
    return np.asarray(ops.convert_to_numpy(value))
