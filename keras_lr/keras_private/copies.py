"""Copies of variables in the host's memory, to go back to."""

import keras
import numpy as np
from keras import ops

from keras_lr.keras_private.live_variables import own_variables
from keras_lr.keras_private.optimizers import leaves


def copy_of(variable):
    """Returns the value of a variable as an array of its own, the same to the bit."""
    # A copy for certain: the memory of a JAX array is given away to the next step.
    return np.array(ops.convert_to_numpy(ops.convert_to_tensor(variable)))


def write_back(variable, value):
    """Gives a variable the value that `copy_of` returned; the copy can be used again."""
    # A copy once more, for the same reason.
    variable.assign(ops.array(value))


class Snapshot:
    """A copy of a model's weights, and of its optimizer's state but for the rates.

    To be taken and restored where the JAX trainer has the variables in step with its own state and
    reads them anew before the next batch: between epochs, or in `on_train_batch_begin` after
    `Callback.model` was read there. `non_finite` has the paths of the variables that hold NaN or
    infinity.

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
        self._variables = _variables(model, with_optimizer)
        self._values = [copy_of(variable) for variable in self._variables]
        self.non_finite = _non_finite(zip(self._variables, self._values))

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
            array.view(ops.convert_to_numpy(v).dtype) if array.dtype.kind == "V" else array
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
            write_back(variable, value)


def non_finite(model):
    """Returns the paths of weights and slots that hold NaN or infinity; one copy at a time."""
    return _non_finite((v, copy_of(v)) for v in _variables(model, with_optimizer=True))


def _non_finite(pairs):
    return frozenset(
        variable.path
        for variable, value in pairs
        if keras.backend.is_float_dtype(variable.dtype) and not np.isfinite(value).all()
    )


def _variables(model, with_optimizer):
    variables = list(model.weights)
    if with_optimizer:
        rates = {id(leaf._learning_rate) for leaf in leaves(model.optimizer)}
        variables += [v for v in own_variables(model.optimizer) if id(v) not in rates]
    return variables
