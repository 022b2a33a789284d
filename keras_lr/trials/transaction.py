"""The values that training changes, copied before and put back bit for bit."""

import keras

from keras_lr.keras_private.copies import copy_of, write_back
from keras_lr.keras_private.live_variables import own_variables
from keras_lr.keras_private.optimizers import leaves
from keras_lr.keras_private.random_state import Randomness


class Transaction:
    """Every value that training changes: of a model, its optimizer, its metrics, all generators.

    `rollback()` puts the variables back, for another run; `restore()` everything. Building is not
    undone: what was built meanwhile gets the values that it had when it was noted.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> transaction = Transaction(model)
    >>> _ = model.layers[0].bias.assign([3.0])
    >>> transaction.rollback()
    >>> model.get_weights()[1].tolist()
    [0.0]
    """

    def __init__(self, model, data=None):
        self._model, self._copies = model, {}
        self.randomness = Randomness(data)
        self._restore_torch = _torch_restorer(model)
        self.note_variables()

    def note_variables(self):
        """Takes copies of the variables that are new since the last time."""
        for variable in _variables(self._model):
            if id(variable) not in self._copies:
                self._copies[id(variable)] = variable, copy_of(variable)

    def rollback(self):
        """Puts every noted variable back."""
        for variable, value in self._copies.values():
            write_back(variable, value)

    def restore(self):
        """Puts everything back."""
        self.rollback()
        self._restore_torch()
        self.randomness.restore()


def _variables(model):
    yield from model.variables
    yield from model.metrics_variables
    yield from own_variables(model.optimizer)
    for leaf in leaves(model.optimizer):
        yield from own_variables(leaf)


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
