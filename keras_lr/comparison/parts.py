"""The data of an experiment: three parts, each of arrays or made by a function."""

import inspect
import itertools
from collections.abc import Mapping

import keras
import numpy as np

from keras_lr import checks
from keras_lr.linting import batches_of
from keras_lr.trials.data import batches as endless

PARTS = ("train", "validation", "test")
_REQUIRED = (
    "the three parts of the data, {'train': …, 'validation': …, 'test': …} or a tuple in this "
    "order, each (x, y) or (x, y, sample_weight) of arrays, or a function that makes a data set"
)
# Fewer rows that are in two parts are chance, or do no harm.
_SHARED = 0.01


class Parts:
    """The parts of the data, by name, and how they are read.

    >>> parts = Parts(3 * [(np.ones((8, 1)), np.ones(8))], batch_size=4)
    >>> parts.batches_per_epoch(), sorted(parts.arguments("train", seed=0))
    (2, ['batch_size', 'x', 'y'])
    """

    def __init__(self, data, batch_size=32, steps_per_epoch=None):
        self.batch_size, self.steps_per_epoch = batch_size, steps_per_epoch
        if isinstance(data, Mapping):
            if set(data) != set(PARTS):
                checks.refuse("data", _REQUIRED, list(data))
            data = [data[name] for name in PARTS]
        elif not isinstance(data, (tuple, list)) or len(data) != len(PARTS):
            checks.refuse("data", _REQUIRED, type(data))
        self.given = dict(zip(PARTS, (_checked(*pair) for pair in zip(PARTS, data))))

    def arguments(self, name, seed):
        """Returns what `fit` and `evaluate` are given to read a part of the data."""
        given = self.given[name]
        if not callable(given):
            names = "x", "y", "sample_weight"
            return dict(zip(names, given)) | {"batch_size": self.batch_size}
        make = _maker(given, seed)
        x = make()
        if isinstance(x, tuple):
            x = _checked(name, x)
            return dict(zip(("x", "y", "sample_weight"), x)) | {"batch_size": self.batch_size}
        if name != "train" or self.steps_per_epoch is None:
            return {"x": x}
        if hasattr(x, "__next__"):
            x = endless(make)
        return {"x": x, "steps_per_epoch": self.steps_per_epoch}

    def batches_per_epoch(self):
        """Returns how many batches an epoch has; raises ValueError where nobody can know."""
        if self.steps_per_epoch is not None:
            return self.steps_per_epoch
        found = batches_of(self.arguments("train", 0)["x"], self.batch_size)
        if not found:
            required = "a number of batches where the data set for training does not know its own"
            checks.refuse("steps_per_epoch", required, None)
        return found

    def first_batch(self, name="train"):
        """Returns a batch of a part of the data: x, y and perhaps weights."""
        arguments = self.arguments(name, 0)
        first = next(iter(_read(arguments)))
        if "y" not in arguments:
            return first
        return keras.tree.map_structure(lambda array: array[: self.batch_size], first)

    def batches(self, name):
        """Returns what a part of the data is read in, for seed 0: batches, or all its arrays."""
        return _read(self.arguments(name, 0))

    def shared(self):
        """Returns, for each pair of parts, how many rows of the second are in the first too.

        Of parts that functions make it says nothing.
        """
        rows = {name: _rows(given) for name, given in self.given.items() if not callable(given)}
        for i, first in enumerate(PARTS):
            for second in PARTS[i + 1 :]:
                if first in rows and second in rows:
                    known = set(rows[first])
                    yield first, second, sum(row in known for row in rows[second])

    def shared_in_words(self):
        """Returns a sentence for each pair of parts that have rows in common."""
        sentences = []
        for first, second, count in self.shared():
            rows = len(keras.tree.flatten(self.given[second][0])[0])
            if count > _SHARED * rows:
                sentences.append(
                    f"{count:,} of {rows:,} rows of the {second} data are in the {first} data too: "
                    "what is reported is better than it will be on new data."
                )
        return sentences


def _checked(name, given):
    """Returns a part: arrays of one length, or a function; raises ValueError for anything else."""
    is_data = hasattr(given, "__getitem__") or hasattr(given, "__iter__")
    if isinstance(given, type) or (callable(given) and not is_data):
        return given
    is_arrays = isinstance(given, (tuple, list)) and len(given) in (2, 3)
    arrays = keras.tree.flatten(list(given)) if is_arrays else []
    if not arrays or not all(getattr(array, "ndim", 0) for array in arrays):
        required = "(x, y) or (x, y, sample_weight) of arrays, or a function that makes a data set"
        checks.refuse(f"data[{name!r}]", required, type(given))
    if len({array.shape[0] for array in arrays}) > 1:
        shapes = [tuple(array.shape) for array in arrays]
        checks.refuse(f"data[{name!r}]", "arrays with one row per sample", shapes)
    return tuple(given)


def _read(arguments):
    x = arguments["x"]
    if "y" in arguments:
        yield tuple(arguments[n] for n in ("x", "y", "sample_weight") if n in arguments)
    elif isinstance(x, keras.utils.PyDataset):
        count = x.num_batches
        yield from (x[i] for i in (itertools.count() if count is None else range(count)))
    else:
        yield from itertools.islice(x, arguments.get("steps_per_epoch"))


def _maker(function, seed):
    """Returns a function without arguments: a function of one is given the seed of the run."""
    parameters = inspect.signature(function).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind < p.VAR_POSITIONAL]
    return (lambda: function(seed)) if needed else function


def _rows(given):
    columns = [np.asarray(array) for array in keras.tree.flatten(given[:2])]
    columns = [np.ascontiguousarray(c).reshape(len(c), -1) for c in columns]
    return [hash(b"".join(c[i].tobytes() for c in columns)) for i in range(len(columns[0]))]
