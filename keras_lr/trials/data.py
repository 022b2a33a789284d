"""What the range test can be given as data: anything `fit` takes that can be read again."""

import keras

from keras_lr import checks


def readable_again(name, x, place="x=make_batches or x=lambda: make_batches(…)"):
    """Refuses what reading would use up: the caller's own generator or iterator.

    `place` is where to give the function that makes it.
    """
    if hasattr(x, "__next__"):
        required = "data that can be read again; for a generator give the function that makes it"
        checks.refuse(name, f"{required}, {place}", x)
    return x


def batches(x):
    """Returns what `fit` reads: `x` itself, or for a function that makes generators, their batches.

    The function is called anew each time its batches have come to an end.

    >>> from itertools import islice
    >>> list(islice(batches(lambda: iter([1, 2])), 5))
    [1, 2, 1, 2, 1]
    """
    return _endless(x) if _makes_data(x) else x


def _makes_data(x):
    return callable(x) and not hasattr(x, "__getitem__") and not hasattr(x, "__iter__")


def _endless(make):
    while True:
        empty = True
        for batch in make():
            empty = False
            yield batch
        if empty:
            checks.refuse("x", "a function that makes a new generator with batches in it", make)


def evaluation(given, batch_size):
    """Returns what to give `evaluate` for validation data as `fit` takes them.

    For a function that makes them it is a function too, as what it makes may be used up.

    >>> evaluation(lambda: range(2), 4)()["x"], sorted(evaluation((1, 2), 4))
    (range(0, 2), ['batch_size', 'sample_weight', 'x', 'y'])
    """
    if _makes_data(given):
        return lambda: evaluation(given(), batch_size)
    x, y, weights = keras.utils.unpack_x_y_sample_weight(given)
    return {"x": x, "y": y, "sample_weight": weights, "batch_size": batch_size}


def may_shuffle(x):
    """Tells whether `fit` itself shuffles this data: for any other it warns that it does not.

    >>> import numpy as np
    >>> may_shuffle({"a": np.ones(3)}), may_shuffle(iter([]))
    (True, False)
    """
    if isinstance(x, keras.utils.PyDataset):
        return True
    return all(hasattr(leaf, "shape") for leaf in keras.tree.flatten(x))


def check_batch(name, batch):
    """Refuses what is not one batch: None, or x and y, or x, y and weights."""
    if batch is not None and not (isinstance(batch, (tuple, list)) and len(batch) in (2, 3)):
        checks.refuse(name, "one batch: (x, y) or (x, y, sample_weight)", batch)
