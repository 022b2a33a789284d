"""The states of random generators: seeded, copied, and put back in memory or from JSON."""

import random
import sys

import keras
import numpy as np
from keras import ops


class Randomness:
    """The state of every generator that training draws from and that belongs to no model.

    Python's and NumPy's (Keras shuffles with them), the back end's, Keras' global seed generator,
    and those that a torch `DataLoader` was given. What a `tf.data.Dataset` shuffles with is its
    own and cannot be reached.

    >>> import numpy as np
    >>> before = Randomness()
    >>> before.seed(7)
    >>> drawn = np.random.rand()
    >>> before.restore()
    >>> before.seed(7)
    >>> np.random.rand() == drawn
    True
    >>> before.restore()
    """

    def __init__(self, data=None):
        self._shared = _shared_states()
        self._restorers = [_keras(), *_torch(data), *_tensorflow()]

    def seed(self, seed):
        """Begins every generator anew from `seed`, but not those that belong to a model."""
        random.seed(seed)
        np.random.seed(seed % 2**32)
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(seed)
        context = _tensorflow_context()
        if context is not None:
            # Not `tf.random.set_seed`, which also empties the cache of kernels, and with it the
            # state of the user's own random operations.
            context._seed, context._rng = seed, random.Random(seed)

    def restore(self):
        """Puts every generator back to where it was."""
        _set_shared_states(self._shared)
        for restore in self._restorers:
            restore()


def get_generators(model):
    """Returns the states of a model's seed generators, of Python, NumPy and PyTorch, as JSON.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dropout(0.5)])
    >>> states = get_generators(model)
    >>> drawn = np.random.rand()
    >>> set_generators(model, states)
    >>> np.random.rand() == drawn
    True
    """
    seeds = [ops.convert_to_numpy(state.value).tolist() for state in _seeds(model)]
    return {"model": seeds, **_shared_states()}


def set_generators(model, states):
    """Puts every generator where it was; those of a package not loaded now are left alone."""
    seeds = _seeds(model)
    if len(seeds) != len(states["model"]):
        raise ValueError(f"{len(states['model'])} seed generators then, {len(seeds)} now")
    for state, value in zip(seeds, states["model"]):
        state.assign(np.array(value, dtype=state.dtype))
    _set_shared_states(states)


def _seeds(model):
    # Keras counts them among the variables, and saves them with no weights.
    saved = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in saved]


def _shared_states():
    """Returns the states of the generators that a process has one of, as JSON takes them."""
    version, words, gauss = random.getstate()
    name, keys, *rest = np.random.get_state()
    states = {"python": [version, list(words), gauss], "numpy": [name, keys.tolist(), *rest]}
    if "torch" in sys.modules:
        # Keras' PyTorch trainer shuffles with the global one.
        states["torch"] = sys.modules["torch"].get_rng_state().tolist()
    return states


def _set_shared_states(states):
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    np.random.set_state(tuple(states["numpy"]))
    if "torch" in states and "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8))


def _keras():
    # Keras has no public way to its global seed generator.
    from keras.src.backend.common import global_state

    name = "global_seed_generator"
    generator = global_state.get_global_attribute(name)
    state = None if generator is None else keras.ops.convert_to_numpy(generator.state).copy()

    def restore():
        global_state.set_global_attribute(name, generator)
        if generator is not None:
            generator.state.assign(state)

    return restore


def _torch(data):
    if "torch" not in sys.modules:
        return
    torch = sys.modules["torch"]
    if torch.cuda.is_initialized():
        states = torch.cuda.get_rng_state_all()
        yield lambda: torch.cuda.set_rng_state_all(states)
    for owner in (data, getattr(data, "sampler", None)):
        generator = getattr(owner, "generator", None)
        if isinstance(generator, torch.Generator):
            yield _torch_generator(generator)


def _torch_generator(generator):
    state = generator.get_state()
    return lambda: generator.set_state(state)


def _tensorflow():
    context = _tensorflow_context()
    if context is not None:
        # The generator itself: `seed` puts another in its place and leaves this one alone.
        found = context._seed, getattr(context, "_rng", None)
        state = found[1].getstate() if found[1] else None

        def restore():
            context._seed, context._rng = found
            if state:
                found[1].setstate(state)

        yield restore


def _tensorflow_context():
    # Where TensorFlow is not in use already, nothing of Keras draws from it.
    if "tensorflow.python.eager.context" not in sys.modules:
        return None
    return sys.modules["tensorflow.python.eager.context"].context()
