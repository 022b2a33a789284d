"""The values that training changes, copied before and put back bit for bit."""

import keras

from keras_lr.keras_private.random_state import Randomness
from keras_lr.keras_private.step_state import cells_of


class Transaction:
    """Every value that training changes: of a model, its optimizers, its metrics, all generators.

    `optimizers` are those that the model need not know of. `rollback()` puts the values back, for
    another run; `restore()` everything. Building is not undone: what was built meanwhile gets the
    values that it had when it was noted.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> transaction = Transaction(model)
    >>> _ = model.layers[0].bias.assign([3.0])
    >>> transaction.rollback()
    >>> model.get_weights()[1].tolist()
    [0.0]
    """

    def __init__(self, model, data=None, optimizers=()):
        self._model, self._optimizers, self._copies = model, optimizers, {}
        self.randomness = Randomness(data)
        self._restore_torch = _torch_restorer(model)
        self.note_variables()

    def note_variables(self):
        """Takes copies of the values that are new since the last time."""
        for cell in cells_of(self._model, *self._optimizers):
            if cell.key not in self._copies:
                self._copies[cell.key] = cell, cell.read()

    def rollback(self):
        """Puts every noted value back."""
        for cell, value in self._copies.values():
            cell.write(value)

    def restore(self):
        """Puts everything back."""
        self.rollback()
        self._restore_torch()
        self.randomness.restore()


def _torch_restorer(model):
    """Returns what puts back what PyTorch keeps beside values: gradients, and training mode."""
    if keras.config.backend() != "torch":
        return lambda: None
    modes, root = {module: module.training for module in model.modules()}, model.training
    weights = [variable.value for variable in model.trainable_variables]
    gradients = [getattr(weight, "grad", None) for weight in weights]

    def restore():
        for module in model.modules():
            module.training = modes.get(module, root)
        for variable in model.trainable_variables:
            variable.value.grad = None
        for weight, gradient in zip(weights, gradients):
            weight.grad = gradient

    return restore
