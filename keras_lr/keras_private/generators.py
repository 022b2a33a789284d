"""The generators of random numbers that training draws from, as JSON, for a run to go on."""

import random
import sys

import numpy as np
from keras import ops


def get_generators(model):
    """Returns the states of a model's seed generators, of Python, NumPy and PyTorch.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dropout(0.5)])
    >>> states = get_generators(model)
    >>> drawn = np.random.rand()
    >>> set_generators(model, states)
    >>> np.random.rand() == drawn
    True
    """
    version, words, gauss = random.getstate()
    name, keys, *rest = np.random.get_state()
    states = {
        "model": [ops.convert_to_numpy(state.value).tolist() for state in _seeds(model)],
        "python": [version, list(words), gauss],
        "numpy": [name, keys.tolist(), *rest],
    }
    if "torch" in sys.modules:
        # Keras' PyTorch trainer shuffles with the global one.
        states["torch"] = sys.modules["torch"].get_rng_state().tolist()
    return states


def set_generators(model, states):
    """Puts every generator where it was; those of a package not loaded now are left alone."""
    seeds = _seeds(model)
    if len(seeds) != len(states["model"]):
        raise ValueError(f"{len(states['model'])} seed generators then, {len(seeds)} now")
    for state, value in zip(seeds, states["model"]):
        state.assign(np.array(value, dtype=state.dtype))
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    np.random.set_state(tuple(states["numpy"]))
    if "torch" in states and "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8))


def _seeds(model):
    # Keras counts them among the variables, and saves them with no weights.
    saved = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in saved]
