"""What a `fit` writes on a model and reads from it, where nothing of the `fit` is to stay."""

# What `fit` itself writes on a model.
_LEFT_BY_FIT = (
    "train_function",
    "stop_training",
    "history",
    "_eval_epoch_iterator",
    "_jax_state",
    "_jax_state_synced",
)


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
    vars(model)["train_function"] = None
