"""Everything that a training step can change, found by a walk through a model's attributes.

Keras knows the variables that layers track, its metrics and `model.optimizer`. A `train_step` of
the user's changes more: optimizers of its own (a GAN's), variables of TensorFlow and buffers of
PyTorch that no layer tracks, what helpers keep that are no layers, such as an average of weights.
"""

import sys
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_lr.keras_private.live_variables import LiveVariable

WEIGHT, OPTIMIZER, RATE, METRIC, SEED = "weight", "optimizer", "rate", "metric", "seed"
# Objects of these packages are entered by what they are, or not at all.
_LIBRARIES = ("keras", "tensorflow", "torch", "jax", "jaxlib", "numpy", "builtins", "keras_lr")
# How the back ends keep what was assigned as an attribute: no part of its name.
_REGISTERS = ("_modules", "_buffers", "_parameters")
# Keras' own mirror of its variables for PyTorch, in which those that are gone may have been left.
_MIRROR = "_torch_params"


class Cell(NamedTuple):
    """One value that a step can change: how it is reached, its kind, and what holds it."""

    path: str
    kind: str
    holder: Any

    @property
    def key(self):
        """What is the same for the same cell, however often it is found."""
        return getattr(self.holder, "key", id(self.holder))

    def read(self):
        """Returns the value as an array of its own, the same to the bit."""
        # A copy for certain: the memory of a JAX array is given away to the next step.
        return np.array(self.holder.numpy() if _is_foreign(self.holder) else _array(self.holder))

    def write(self, value):
        """Gives the value that `read` returned; the array can be used again."""
        if _is_foreign(self.holder):
            self.holder.assign(value)
        else:
            # A copy once more, for the same reason.
            self.holder.assign(ops.array(value))

    @property
    def is_float(self):
        """Tells whether it holds floats, which may be NaN."""
        return keras.backend.is_float_dtype(keras.backend.standardize_dtype(self.holder.dtype))


def cells_of(model, *optimizers):
    """Returns a `Cell` for everything that a step of a model can change, in a fixed order.

    `optimizers` are others, that need not be found on the model. Live variables are left out.

    >>> class Gan(keras.Sequential):
    ...     pass
    >>> gan = Gan([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    >>> gan.compile("sgd")
    >>> gan.optimizers_of_its_own = {"g": keras.optimizers.SGD(0.1)}
    >>> [(cell.path, cell.kind) for cell in cells_of(gan) if cell.kind == "weight"]
    [('weights[0]', 'weight')]
    >>> sorted(cell.path for cell in cells_of(gan) if cell.kind == "rate")
    ['optimizer.learning_rate', "optimizers_of_its_own['g'].learning_rate"]
    """
    walk = _Walk()
    weights = list(model.weights)
    saved = {id(variable) for variable in weights}
    walk.add_all("weights", WEIGHT, weights)
    walk.add_all("seeds", SEED, [v for v in model.variables if id(v) not in saved])
    walk.add_all("metrics", METRIC, model.metrics_variables)
    walk.enter("", model)
    for i, optimizer in enumerate(optimizers):
        walk.enter(f"optimizers[{i}]", optimizer)
    return walk.cells


def optimizers_of(model, *optimizers):
    """Returns the optimizers that a step can use, by the names under which they are reached."""
    walk = _Walk()
    walk.enter("", model)
    for i, optimizer in enumerate(optimizers):
        walk.enter(f"optimizers[{i}]", optimizer)
    return walk.optimizers


def has_own_step(model):
    """Tells whether a model has a `train_step` of its own, which may use any optimizer."""
    step = getattr(type(model), "train_step", None)
    return not getattr(step, "__module__", "").startswith("keras.") or "train_step" in vars(model)


def refuse_unbuilt_optimizers(model, *optimizers):
    """Raises where a model's own step may build an optimizer, which nobody could then put back."""
    if not has_own_step(model) and not optimizers:
        return
    main = getattr(model, "optimizer", None)
    for path, optimizer in optimizers_of(model, *optimizers).items():
        if optimizer.built or optimizer is main or path.startswith("optimizer."):
            continue
        name = "the optimizer" if path.startswith("optimizers[") else f"model.{path}"
        raise ValueError(
            f"Every optimizer that a `train_step` may use must be built before, to have a state to "
            f"go back to: {name}.build(weights), with the weights that it updates, in the order in "
            f"which they are given to `apply`. Received: {name}, which is not built"
        )


class _Walk:
    """Goes through attributes, lists and dicts, into whatever may hold what a step changes."""

    def __init__(self):
        self.cells, self.optimizers = [], {}
        self._seen = set()
        # What has been seen is kept: the identity of an object that is gone may be another's.
        self._kept = []

    def add_all(self, path, kind, variables):
        for i, variable in enumerate(variables):
            self._add(f"{path}[{i}]", kind, variable)

    def enter(self, path, value, kind=WEIGHT):
        """Notes a value, or what is in it."""
        if isinstance(value, (str, bytes, int, float, type(None), np.ndarray)):
            return
        if isinstance(value, (keras.Variable, *_tensorflow_variables())):
            self._add(path, kind, value)
        elif isinstance(value, (dict, list, tuple, set)):
            if self._is_new(value):
                items = value.items() if isinstance(value, dict) else enumerate(value)
                for key, item in list(items):
                    self._enter_item(f"{path}[{key!r}]", value, key, item, kind)
        elif isinstance(value, keras.optimizers.Optimizer):
            self._enter_optimizer(path, value)
        elif self._may_hold(value) and self._is_new(value):
            kind = SEED if isinstance(value, keras.random.SeedGenerator) else kind
            kind = METRIC if isinstance(value, keras.metrics.Metric) else kind
            self._enter_attributes(path, value, kind)

    def _enter_optimizer(self, path, optimizer):
        if not self._is_new(optimizer):
            return
        self.optimizers[path] = optimizer
        rate = getattr(optimizer, "_learning_rate", None)
        if isinstance(rate, keras.Variable):
            self._add(f"{path}.learning_rate", RATE, rate)
        self._enter_attributes(path, optimizer, OPTIMIZER)

    def _enter_attributes(self, path, owner, kind):
        for name, value in list(vars(owner).items()):
            if name in _REGISTERS:
                for key, item in list(value.items()):
                    if key == _MIRROR:
                        continue
                    self._enter_item(_join(path, key), value, key, item, kind)
            elif not name.startswith("_self_"):  # TensorFlow's second list of the same
                self._enter_item(_join(path, name), vars(owner), name, value, kind)

    def _enter_item(self, path, container, key, value, kind):
        torch = _torch()
        if torch is not None and isinstance(value, torch.Tensor):
            self._add_tensor(path, container, key, value, kind)
        elif torch is not None and isinstance(value, torch.Generator):
            if self._is_new(value):
                self.cells.append(Cell(path, SEED, _TorchGenerator(value)))
        else:
            self.enter(path, value, kind)

    def _add(self, path, kind, variable):
        if isinstance(variable, LiveVariable) or not self._is_new(variable):
            return
        # What a variable of Keras' wraps may be found once more: PyTorch calls it a parameter.
        self._is_new(getattr(variable, "_value", None))
        self.cells.append(Cell(path, kind, variable))

    def _add_tensor(self, path, container, key, tensor, kind):
        if self._is_new(tensor):
            self.cells.append(Cell(path, kind, _TorchPlace(container, key, tensor)))

    def _is_new(self, value):
        if id(value) in self._seen:
            return False
        self._seen.add(id(value))
        self._kept.append(value)
        return True

    def _may_hold(self, value):
        known = (keras.Layer, keras.metrics.Metric, keras.random.SeedGenerator)
        if isinstance(value, (*known, *_foreign_modules())):
            return True
        library = type(value).__module__.split(".")[0] in _LIBRARIES
        return not library and hasattr(value, "__dict__") and not isinstance(value, type)


class _TorchPlace:
    """A tensor of PyTorch by its place: a step may put another tensor there."""

    def __init__(self, container, key, tensor):
        self._container, self._key, self._noted = container, key, tensor
        self.key = id(container), key

    @property
    def value(self):
        is_dict = isinstance(self._container, dict)
        return self._container.get(self._key) if is_dict else self._noted

    @property
    def dtype(self):
        return self._noted.dtype

    def assign(self, value):
        now = self.value
        fits = isinstance(now, _torch().Tensor) and now.shape == value.shape
        if fits and now.dtype == value.dtype and now.is_leaf:
            with _torch().no_grad():
                now.copy_(value)
        else:
            self._container[self._key] = value.to(self._noted.device)


class _TorchGenerator:
    """The state of a generator of PyTorch's own."""

    dtype = "uint8"

    def __init__(self, generator):
        self._generator, self.key = generator, id(generator)

    @property
    def value(self):
        return self._generator.get_state()

    def assign(self, value):
        self._generator.set_state(value.cpu())


def _array(holder):
    if isinstance(holder, (_TorchPlace, _TorchGenerator)):
        return ops.convert_to_numpy(holder.value)
    return ops.convert_to_numpy(ops.convert_to_tensor(holder))


def _is_foreign(holder):
    return isinstance(holder, _tensorflow_variables())


def _torch():
    return sys.modules["torch"] if keras.config.backend() == "torch" else None


def _tensorflow_variables():
    if keras.config.backend() != "tensorflow":
        return ()
    return (sys.modules["tensorflow"].Variable,)


def _foreign_modules():
    """Returns the classes of the back end whose objects hold variables as attributes."""
    if keras.config.backend() == "torch":
        return (_torch().nn.Module,)
    if keras.config.backend() == "tensorflow":
        # Modules, and generators of random numbers.
        return (sys.modules["tensorflow"].__internal__.tracking.AutoTrackable,)
    return ()


def _join(path, name):
    return f"{path}.{name}" if path else str(name)
