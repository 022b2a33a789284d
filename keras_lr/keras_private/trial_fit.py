"""What a `fit` writes on a model and reads from it, where nothing of the `fit` is to stay."""

import keras
from keras.src.trainers.data_adapters import array_slicing

# What `fit` itself writes on a model.
_LEFT_BY_FIT = (
    "train_function",
    "test_function",
    "stop_training",
    "history",
    "_eval_epoch_iterator",
    "_jax_state",
    "_jax_state_synced",
)

# Moving statistics begin at 0 and 1: at Keras' 0.99 they would not be the data's within a trial.
_MOMENTUM = 0.8


def begin_trials(overrides, model):
    """Has nothing of the coming calls of `fit` stay on a model once `overrides` are taken off.

    They train without metrics, one batch per step, and with a loss of their own: the user's stay as
    they are, also unbuilt, so that the next `fit` reads its data once more to build them, and
    shuffles like a first one.
    """
    for name in _LEFT_BY_FIT:
        overrides.note(model, name)
    overrides.put(model, "steps_per_execution", 1)
    overrides.put(model, "_compile_metrics", None)
    loss = model._compile_loss
    if loss is not None:
        fresh = type(loss)(loss._user_loss, loss._user_loss_weights, output_names=loss.output_names)
        overrides.put(model, "_compile_loss", fresh)
    vars(model)["train_function"] = vars(model)["test_function"] = None


def hasten_statistics(overrides, model):
    """Has moving statistics follow the data within a trial; returns their variables."""
    layers = [layer for layer in _normalizing(model) if layer.built]
    for layer in layers:
        overrides.put(layer, "momentum", min(layer.momentum, _MOMENTUM))
    return [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]


def has_statistics(model):
    """Tells whether a model has moving statistics, built or not."""
    return bool(_normalizing(model))


def _normalizing(model):
    layers = model._flatten_layers()
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def held_back(training, share):
    """Returns arguments of `fit` without the last part of their arrays, and of `evaluate` on it.

    Where there are no arrays, or too few rows, the first are as they were, and the second None.
    """
    parts = tuple(training[name] for name in ("x", "y", "sample_weight"))
    try:
        train, held = array_slicing.train_validation_split(parts, validation_split=share)
    except ValueError:
        return training, None
    names = "x", "y", "sample_weight"
    evaluation = dict(zip(names, held)) | {"batch_size": training["batch_size"]}
    return training | dict(zip(names, train)), evaluation
