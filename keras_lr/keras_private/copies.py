"""Copies of what a training step changes, in the host's memory, to go back to."""

import numpy as np
from keras import ops

from keras_lr.keras_private.optimizers import leaves
from keras_lr.keras_private.step_state import METRIC, OPTIMIZER, SEED, WEIGHT, cells_of


class Snapshot:
    """A copy of a model's weights, and of the state of its optimizers but for the rates.

    Weights are all that a step changes and no optimizer, metric or generator of random numbers
    holds: buffers of PyTorch and variables of TensorFlow too. To be taken and restored where the
    JAX trainer has the variables in step with its own state and reads them anew before the next
    batch: between epochs, or in `on_train_batch_begin` after `Callback.model` was read there.
    `non_finite` has the paths of the variables that hold NaN or infinity.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> before = Snapshot(model, with_optimizer=True)
    >>> model.set_weights([np.full((1, 1), np.nan), np.ones(1)])
    >>> [path.split("/")[-1] for path in Snapshot(model, with_optimizer=False).non_finite]
    ['kernel']
    >>> before.restore()
    >>> before.non_finite, model.get_weights()[1].tolist()
    (frozenset(), [0.0])
    """

    def __init__(self, model, with_optimizer):
        self._cells = _cells(model, with_optimizer)
        self._values = [cell.read() for cell in self._cells]
        self.non_finite = _non_finite(zip(self._cells, self._values))

    @classmethod
    def of(cls, model, with_optimizer, arrays):
        """Returns the snapshot whose `arrays` another one gave, perhaps in another process."""
        snapshot = cls.__new__(cls)
        snapshot._cells = _cells(model, with_optimizer)
        if len(arrays) != len(snapshot._cells):
            raise ValueError(f"{len(arrays)} weights and slots then, {len(snapshot._cells)} now")
        snapshot._values = [_revived(c, array) for c, array in zip(snapshot._cells, arrays)]
        snapshot.non_finite = frozenset()
        return snapshot

    def arrays(self):
        """Returns all values, in the order of the model's variables."""
        return list(self._values)

    def restore(self):
        """Writes every value back."""
        for cell, value in zip(self._cells, self._values):
            cell.write(value)


def non_finite(model):
    """Returns the paths of weights and slots that hold NaN or infinity; one copy at a time."""
    return _non_finite((cell, cell.read()) for cell in _cells(model, with_optimizer=True))


def _non_finite(pairs):
    return frozenset(
        getattr(cell.holder, "path", cell.path)
        for cell, value in pairs
        if cell.is_float and not np.isfinite(value).all()
    )


def _cells(model, with_optimizer):
    kinds = (WEIGHT, OPTIMIZER) if with_optimizer else (WEIGHT,)
    return [cell for cell in cells_of(model) if cell.kind in kinds]


def _revived(cell, array):
    # NumPy's files know no bfloat16: it comes back as two bytes.
    return array.view(cell.read().dtype) if array.dtype.kind == "V" else array


# Beside the files of Keras


def extra_arrays(model):
    """Returns what a step changes and `save_weights` does not save as it is, by name.

    That is what Keras does not know (optimizers of the model's own, variables of TensorFlow and
    buffers of PyTorch), and the variables of layers that save something else than they hold, as
    LoRA does, whose product is merged into the kernel. States of the model's seed generators are
    left to `random_state.get_generators`.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, use_bias=False)])
    >>> sorted(extra_arrays(model))
    []
    >>> model.layers[0].enable_lora(1)
    >>> {name: array.shape for name, array in extra_arrays(model).items()}
    {'weights[0]': (4, 4), 'weights[1]': (4, 1), 'weights[2]': (1, 4)}
    """
    return {cell.path: cell.read() for cell in _extra_cells(model)}


def restore_extra(model, arrays):
    """Puts back what `extra_arrays` returned, after `load_weights` and the model's own build.

    Raises `ValueError` where the model has other such values now, before anything is written.
    """
    cells = {cell.path: cell for cell in _extra_cells(model)}
    others = sorted(set(cells) ^ set(arrays))
    others += [n for n in cells if n in arrays and cells[n].read().shape != arrays[n].shape]
    if others:
        raise ValueError(f"{len(arrays)} values then and {len(cells)} now; not in both: {others}")
    for name, cell in cells.items():
        cell.write(_revived(cell, arrays[name]))


def _extra_cells(model):
    known = _saved_as_they_are(model)
    return [c for c in cells_of(model) if c.kind != METRIC and id(c.holder) not in known]


def _saved_as_they_are(model):
    """Returns the identities of the variables that a file of Keras' has bit for bit."""
    saved = {id(variable) for variable in model.weights}
    known = {id(cell.holder) for cell in cells_of(model) if cell.kind == SEED} & {
        id(variable) for variable in model.variables
    }
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        for part in [optimizer, *leaves(optimizer)]:
            known |= {id(variable) for variable in part.variables}
    for layer in model._flatten_layers():
        own = [*layer._trainable_variables, *layer._non_trainable_variables]
        own = [variable for variable in own if id(variable) in saved]
        if own and _saves_as_they_are(layer, own):
            known |= {id(variable) for variable in own}
    return known


def _saves_as_they_are(layer, variables):
    store = {}
    layer.save_own_variables(store)
    values = list(store.values())
    return all(any(_is_same(value, variable) for value in values) for variable in variables)


def _is_same(value, variable):
    if value is variable:
        return True
    value, held = (ops.convert_to_numpy(ops.convert_to_tensor(v)) for v in (value, variable))
    return value.shape == held.shape and value.tobytes() == held.tobytes()
