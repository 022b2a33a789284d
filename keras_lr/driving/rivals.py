"""Keras' own callbacks that write the rate beside ours: seen before they do."""

import warnings

import keras

from keras_lr.keras_private.fit_call import listed
from keras_lr.keras_private.optimizers import leaves

_WRITERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def warn_of_keras_own(model, writing):
    """Warns of Keras' callbacks in the running `fit`; `writing` are ours that write the rate too.

    Raises ValueError where Keras' own would fail in mid-training, at its first cut.
    """
    theirs = next((c for c in listed(model) if isinstance(c, _WRITERS)), None)
    if theirs is None:
        return False
    name = type(theirs).__name__
    ours = f"`keras_lr.callbacks.{name}` takes the same arguments and multiplies"
    rates = [leaf._learning_rate for leaf in leaves(model.optimizer)]
    if not all(isinstance(rate, keras.Variable) for rate in rates):
        raise ValueError(
            f"Keras' {name} cannot write the rate of an optimizer that was built with a schedule, "
            f"and would fail when it first has to. {ours}: use that."
        )
    if not writing:
        return False
    warnings.warn(
        f"Keras' {name} writes the learning rate beside {type(writing[0]).__name__} of keras_lr. "
        "What it writes is the base from there on, written over when a metric changes a factor, "
        f"and without effect under FitSchedule and RandomLearningRate. {ours}.",
        stacklevel=2,
    )
    return True
