"""Whether a model's training step uses the optimizer whose rates are tried, and no other unseen."""

import keras

from keras_lr.keras_private.optimizers import parts
from keras_lr.keras_private.step_state import optimizers_of, refuse_unbuilt_optimizers

_JAX = (
    "On JAX a step is handed the state of `model.optimizer` and no other: `optimizer` must be that "
    "or a part of it. Compile the model with keras.optimizers.MultiOptimizer, or run the range "
    "test on another back end. Received: {}"
)


def check_can_be_put_back(model, optimizer):
    """Raises where a training step would change what nobody could put back."""
    if keras.config.backend() == "jax" and all(p is not optimizer for p in parts(model.optimizer)):
        raise ValueError(_JAX.format(f"an optimizer {optimizer.name} beside it"))
    others = [] if optimizer is model.optimizer else [optimizer]
    refuse_unbuilt_optimizers(model, *others)


def check_is_used(model, optimizer, made, batches, was_read):
    """Raises unless the optimizer makes updates, and at the rates that it is given."""
    if made and was_read:
        return
    inside = list(parts(optimizer))
    others = {
        path: one
        for path, one in optimizers_of(model).items()
        if all(one is not part for part in inside)
    }
    way_out = "".join(
        f" If it is model.{path} that updates: range_test(…, optimizer=model.{path})."
        for path in others
    )
    named = f"the optimizer {optimizer.name} ({type(optimizer).__name__})"
    if made:
        raise ValueError(
            f"{named[0].upper()}{named[1:]} counts updates, but never asks for its learning rate: "
            f"it wraps what updates, and a rate tried on it would do nothing.{way_out}"
        )
    if getattr(optimizer, "inner_optimizer", None) is not None:
        way_out = " Its loss scale found no size without an overflow: see the loss and the data."
    raise ValueError(
        f"The model's training step must make updates with {named}, whose rates are tried. "
        f"Received: none in {batches} batches.{way_out}"
    )
