"""A stretch of training that never happened: what it changes is put back, bit for bit."""

import keras
import numpy as np
from keras import ops

from keras_lr.keras_private.optimizers import leaves
from keras_lr.keras_private.random_state import Randomness

# What `fit` and the range test set on a model; what the user's code sets stays.
_ATTRIBUTES = (
    "train_function",
    "test_function",
    "predict_function",
    "make_train_function",
    "train_step",
    "steps_per_execution",
    "stop_training",
    "history",
    "_compile_loss",
    "_compile_metrics",
    "_eval_epoch_iterator",
    "_jax_state",
    "_jax_state_synced",
)
_MISSING = object()


class Transaction:
    """Everything that training changes in a model, and in the generators of random numbers.

    Inside the `with`, `rollback()` puts the variables back, for a next trial; at its end, however
    it comes, everything is put back. Building is not undone: what was built inside keeps the values
    that it was built with.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> with Transaction(model):
    ...     _ = model.layers[0].bias.assign([3.0])
    >>> ops.convert_to_numpy(model.layers[0].bias).tolist()
    [0.0]
    """

    def __init__(self, model, data=None):
        self._model, self._data = model, data
        self._copies = {}

    def __enter__(self):
        held = vars(self._model)
        self._attributes = {name: held.get(name, _MISSING) for name in _ATTRIBUTES}
        self.randomness = Randomness(self._data)
        self._restore_torch = _torch_restorer(self._model)
        self.note_variables()
        return self

    def note_variables(self):
        """Takes copies of the variables that are new since the last time."""
        for variable in _variables(self._model):
            if id(variable) not in self._copies:
                self._copies[id(variable)] = variable, _copy(variable)

    def rollback(self):
        """Puts every noted variable back."""
        for variable, value in self._copies.values():
            # Another copy, on JAX, whose trainer gives away the buffers that variables hold.
            variable.assign(ops.array(value))

    def __exit__(self, *exception):
        held = vars(self._model)
        for name, value in self._attributes.items():
            if value is _MISSING:
                held.pop(name, None)
            else:
                held[name] = value
        self.rollback()
        self._restore_torch()
        self.randomness.restore()


def _variables(model):
    yield from model.variables
    yield from model.metrics_variables
    yield from model.optimizer.variables
    for leaf in leaves(model.optimizer):
        yield from leaf.variables


def _copy(variable):
    if keras.config.backend() == "jax":
        # On the device, the copy of each new shape would have to be compiled.
        return np.array(ops.convert_to_numpy(variable.value))
    # Detached first: on PyTorch a copy of a parameter would hold on to its gradient's graph.
    return ops.copy(ops.stop_gradient(variable.value))


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
