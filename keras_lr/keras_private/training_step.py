"""The compiled training step of a model: built anew, exchanged, and what is compiled into it."""

import gc

import keras
import numpy as np

from keras_lr.keras_private.fit_call import FitCall
from keras_lr.keras_private.optimizers import leaves, own_rate, parts
from keras_lr.keras_private.overrides import Overrides

# Those that a constant can be made of.
_PLAIN = (int, float, complex, str, np.generic, type(None))


def held(model):
    """Returns the training step that a model has at present, or None."""
    return model.train_function


def hold(model, step):
    """Gives a model another training step."""
    model.train_function = step


def rebuild(model):
    """Builds the training step anew, in the middle of a fit too; its first use compiles it.

    JAX takes two steps for one as long as both are there, and their functions are equal, as the
    same method of the same model is: here the new one gets a function of its own.
    """
    overrides, take_step = Overrides(), model.train_step
    if keras.config.backend() == "jax":
        overrides.put(model, "train_step", lambda *arguments: take_step(*arguments))
    try:
        model.make_train_function(force=True)
    finally:
        overrides.take_off()


def forget(model):
    """Drops the compiled training step: the next use builds it."""
    model.train_function = None


def others_compiled_with(optimizers, model):
    """Returns the other models that have a training step with one of these optimizers in it.

    Nobody but the garbage collector knows them, and it takes a tenth of a second to look.
    """
    wanted = set(map(id, optimizers))
    return [
        other
        for other in gc.get_objects()
        # Not `isinstance`: what stands for a module that is not loaded yet would load it.
        if issubclass(type(other), keras.Model)
        and other is not model
        and vars(other).get("train_function") is not None
        and any(id(part) in wanted for part in parts(vars(other).get("optimizer")))
    ]


class Settings:
    """What Keras compiles into a training step and may change without `model.compile`.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> before = Settings(model)
    >>> before == Settings(model)
    True
    >>> model.optimizer.momentum = 0.9
    >>> before == Settings(model)
    False
    """

    def __init__(self, model):
        optimizers = list(parts(model.optimizer))
        self.values = [
            (model.run_eagerly, model.jit_compile, model.steps_per_execution),
            *[_numbers(optimizer) for optimizer in optimizers],
        ]
        # Held, so that nothing else can come to have their places in memory.
        self.objects = [keras.distribution.distribution(), *optimizers, *model.trainable_variables]

    def __eq__(self, other):
        same = [id(each) for each in self.objects] == [id(each) for each in other.objects]
        return same and self.values == other.values

    __hash__ = None  # type: ignore[assignment]


def _numbers(optimizer):
    """Returns the numbers and texts that an optimizer was built with, the rate left out."""
    return {
        name: value
        for name, value in vars(optimizer).items()
        if not name.startswith("_") and name != "built" and isinstance(value, _PLAIN)
    }


def schedules_in(model):
    """Returns the schedules that Keras compiles into a step, None for an optimizer's variable."""
    found = [own_rate(leaf) for leaf in leaves(model.optimizer)]
    return [None if isinstance(own, keras.Variable) else own for own in found]


def call_after_fit(overrides, model, action):
    """Has `action` called when the training step is asked for after the running `fit` has ended.

    By the next `fit`, or by `train_on_batch`. While the running one is under way `train_on_batch`,
    and a `fit` inside it, may ask as they like.
    """

    def make_train_function(force=False):
        if FitCall.is_asking(model) or FitCall.of(model) is None:
            action()
        return type(model).make_train_function(model, force=force)

    overrides.put(model, "make_train_function", make_train_function)
