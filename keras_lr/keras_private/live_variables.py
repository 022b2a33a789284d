"""Variables that a compiled training step sees change, though they are no part of any state.

TensorFlow and PyTorch read a variable where it is: any `keras.Variable` is live in their steps. A
step of JAX is a function of what the trainer hands to it, and takes everything else for a constant.
There a live variable is appended to its optimizer's own list for as long as it is needed, and the
optimizer, and what wraps it, is given `save_own_variables` and `load_own_variables` that leave it
out, so that files have Keras' own layout.
"""

import keras

from keras_lr.keras_private.overrides import Overrides


class LiveVariable(keras.Variable):
    """A variable that `LiveVariables` has added."""


class LiveVariables:
    """The live variables of a model's optimizers, from `add` to `take_off`.

    On JAX, add and take off only where the trainer's state is in step with the variables: outside
    of `fit`, or in it before the first batch of an epoch. So it is with `assign`, which needs
    `Callback.model` to be read before in `on_train_batch_begin`. A change in the number of
    variables has JAX trace the step again; assigning a value never does. Under a JAX distribution
    the step must be built anew after `add` and after `take_off`. Of two at once, the later one is
    taken off first.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> live = LiveVariables(model)
    >>> scale = live.add(model.optimizer, 1.0)
    >>> scale.assign(0.5) is None, float(scale)
    (False, 0.5)
    >>> [v.name for v in own_variables(model.optimizer)]
    ['iteration', 'learning_rate']
    >>> live.take_off()
    >>> len(model.optimizer.variables)
    2
    """

    def __init__(self, model):
        self._optimizer = model.optimizer
        self._strategy = getattr(model, "distribute_strategy", None)
        self._overrides, self._added = Overrides(), []

    def add(self, optimizer, value):
        """Returns a new float32 variable that the step can read wherever `optimizer` is at work.

        `optimizer` is one that holds a rate: the model's own, or one inside it. `value` is a number
        or an array, whose shape the variable keeps.
        """
        variable = self._new(value)
        if keras.config.backend() == "jax":
            if not self._added:
                self._leave_out_of_files()
            optimizer._variables.append(variable)
            self._added.append((optimizer, variable))
        return variable

    def take_off(self):
        """Takes every variable off its optimizer again."""
        for optimizer, variable in self._added:
            _keep(optimizer, lambda other, gone=variable: other is not gone)
        self._added.clear()
        self._overrides.take_off()

    def _new(self, value):
        options = {"dtype": "float32", "trainable": False, "autocast": False}
        if self._strategy is None:
            return LiveVariable(value, **options)
        with self._strategy.scope():
            return LiveVariable(value, aggregation="only_first_replica", **options)

    def _leave_out_of_files(self):
        for part in parts(self._optimizer):
            for name in ("save_own_variables", "load_own_variables"):
                without = _without_live_variables(self._optimizer, getattr(part, name))
                self._overrides.put(part, name, without)


def own_variables(optimizer):
    """Returns the variables of an optimizer that are Keras', the live ones left out."""
    return [v for v in optimizer.variables if not isinstance(v, LiveVariable)]


def _without_live_variables(optimizer, method):
    """Returns a method that finds no live variables in an optimizer and what is inside it."""

    def without(store):
        whole = [(part, list(part._variables)) for part in parts(optimizer)]
        for part, _ in whole:
            _keep(part, lambda variable: not isinstance(variable, LiveVariable))
        try:
            return method(store)
        finally:
            for part, variables in whole:
                part._variables[:] = variables

    return without


def _keep(optimizer, condition):
    optimizer._variables[:] = [v for v in optimizer._variables if condition(v)]


def parts(optimizer):
    """Yields an optimizer and all inside it, also those that wrap others."""
    yield optimizer
    inner = getattr(optimizer, "inner_optimizer", None)
    for part in getattr(optimizer, "optimizers", []) if inner is None else [inner]:
        yield from parts(part)
