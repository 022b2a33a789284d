"""Fresh copies of models: the same layers and settings, new weights, nothing shared."""

import keras

from keras_lr import checks
from keras_lr.keras_private.multi_optimizer import copy_of
from keras_lr.keras_private.random_state import Randomness


def fresh_copy(model, learning_rate, seed=0):
    """Returns a compiled copy of a model with weights drawn from `seed`, at another rate.

    `model` may also be a function that returns a compiled model, which is called. No generator of
    random numbers is moved.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    >>> copy = fresh_copy(model, 0.01)
    >>> copy.optimizer.momentum, round(float(copy.optimizer.learning_rate), 6)
    (0.9, 0.01)
    >>> copy is model, (copy.get_weights()[0] == model.get_weights()[0]).any().item()
    (False, False)
    """
    before = Randomness()
    before.seed(seed)
    try:
        return _copy(model, learning_rate) if isinstance(model, keras.Model) else _made(model)
    finally:
        before.restore()


def _made(build):
    required = "a compiled Keras model, or a function that returns one"
    if not callable(build):
        checks.refuse("model", required, build)
    model = build()
    if not isinstance(model, keras.Model) or not model.compiled:
        checks.refuse("model", required, model)
    return model


def _copy(model, learning_rate):
    if not model.compiled:
        checks.refuse("model", "a compiled Keras model, or a function that returns one", model)
    try:
        copy = keras.models.clone_model(model)
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        loss = model._compile_loss
        copy.compile(
            copy_of(optimizer, optimizer.name, learning_rate),
            loss=loss and loss._user_loss,
            loss_weights=loss and loss._user_loss_weights,
            run_eagerly=model.run_eagerly,
            jit_compile=model.jit_compile,
        )
    except Exception as error:
        raise ValueError(
            "`model` must be one that Keras can clone, or a function without arguments that "
            f"returns a compiled model with new weights. Received: {type(model).__name__}, whose "
            f"copy raises {type(error).__name__}: {checks.shown(str(error))[:300]}"
        ) from error
    return copy
