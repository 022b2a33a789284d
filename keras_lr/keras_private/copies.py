"""`Snapshot`: a copy of what training changes, to go back to."""

import math
import os
import uuid
import weakref

import keras
import numpy as np
from keras import ops

from keras_lr.keras_private.optimizers import leaves


class Snapshot:
    """A copy of a model's weights, and of its optimizer's state but for the rates.

    To be taken and restored where the JAX trainer has the variables in step with its own state and
    reads them anew before the next batch: between epochs, or in `on_train_batch_begin` after
    `Callback.model` was read there. The copy is in the host's memory, or in a file in `directory`,
    written and read one variable at a time, which goes when the snapshot does. `non_finite` has
    the paths of the variables that hold NaN or infinity.

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

    def __init__(self, model, with_optimizer, directory=None):
        self._variables = _variables(model, with_optimizer)
        found = set()
        copies = self._copies(found)
        self._values = list(copies) if directory is None else _File(directory, copies)
        self.non_finite = frozenset(found)

    def _copies(self, non_finite):
        for variable in self._variables:
            # A copy for certain: the memory of a JAX array is given away to the next step.
            value = np.array(ops.convert_to_numpy(ops.convert_to_tensor(variable)))
            is_float = keras.backend.is_float_dtype(variable.dtype)
            if is_float and not np.isfinite(value).all():
                non_finite.add(variable.path)
            yield value

    @classmethod
    def of(cls, model, with_optimizer, arrays):
        """Returns the snapshot whose `arrays` another one gave, perhaps in another process."""
        snapshot = cls.__new__(cls)
        snapshot._variables = _variables(model, with_optimizer)
        if len(arrays) != len(snapshot._variables):
            raise ValueError(
                f"{len(arrays)} weights and slots then, {len(snapshot._variables)} now"
            )
        snapshot._values = [
            # NumPy's files know no bfloat16: it comes back as two bytes.
            array.view(keras.ops.convert_to_numpy(v).dtype) if array.dtype.kind == "V" else array
            for v, array in zip(snapshot._variables, arrays)
        ]
        snapshot.non_finite = frozenset()
        return snapshot

    def arrays(self):
        """Returns all values, in the order of the model's variables."""
        return list(self._values)

    def restore(self):
        """Writes every value back."""
        for variable, value in zip(self._variables, self._values):
            variable.assign(value)


def _variables(model, with_optimizer):
    variables = list(model.weights)
    if with_optimizer:
        rates = {id(leaf._learning_rate) for leaf in leaves(model.optimizer)}
        variables += [v for v in model.optimizer.variables if id(v) not in rates]
    return variables


class _File:
    """Arrays in a file of their own, read back one at a time; it is deleted with this object."""

    def __init__(self, directory, arrays):
        self._path = os.path.join(directory, f"keras_lr-{uuid.uuid4().hex}.snapshot")
        # Also when writing fails, and at the latest when Python ends.
        weakref.finalize(self, _delete, self._path)
        self._kinds = []
        with open(self._path, "xb") as file:
            for array in arrays:
                self._kinds.append((array.dtype, array.shape))
                file.write(array.tobytes())

    def __iter__(self):
        with open(self._path, "rb") as file:
            for dtype, shape in self._kinds:
                yield np.fromfile(file, dtype, math.prod(shape)).reshape(shape)


def _delete(path):
    if os.path.exists(path):
        os.unlink(path)
