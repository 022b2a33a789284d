"""Whether the optimizer that is driven is the one that updates the weights."""

import warnings

from keras_lr.keras_private.optimizers import batches_counted, leaves, may_skip_updates
from keras_lr.keras_private.step_state import has_own_step, optimizers_of


class OptimizerWatch:
    """Which optimizers of a model have counted batches since it was made."""

    def __init__(self, model, driven):
        self._optimizer = model.optimizer
        self._driven = [one.optimizer for one in driven]
        others = [leaf for found in _others(model).values() for leaf in leaves(found)]
        self._counts = [(leaf, batches_counted(leaf)) for leaf in [*self._driven, *others]]

    def is_exchanged(self, model):
        """Tells whether a model has another optimizer than it had."""
        return model.optimizer is not self._optimizer

    def check(self, model, drives):
        """Raises if no driven optimizer has counted a batch; warns if nothing drives it."""
        moved = {id(leaf) for leaf, before in self._counts if batches_counted(leaf) != before}
        if may_skip_updates(model.optimizer) or any(id(leaf) in moved for leaf in self._driven):
            return
        names = ", ".join(leaf.name for leaf in self._driven)
        message = (
            f"The optimizer {names} has made no update in this epoch: what is done to its rate has "
            f"no effect. {_advice(model, moved)}"
        )
        if drives:
            raise ValueError(message)
        warnings.warn(message, stacklevel=2)


def _advice(model, moved):
    for name, found in _others(model).items():
        if any(id(leaf) in moved for leaf in leaves(found)):
            return f"The one that updates is model.{name}: give callbacks optimizer=model.{name}."
    return (
        "Another one updates the weights: give callbacks optimizer=…, the one that the training "
        "step uses. Where a step that you have compiled is given the optimizer's variables, write "
        "them back before `step`."
    )


def _others(model):
    """Returns the optimizers that a `train_step` of the model's own may use instead, by name."""
    if not has_own_step(model):
        return {}
    own = set(map(id, leaves(model.optimizer))) | {id(model.optimizer)}
    return {name: one for name, one in optimizers_of(model).items() if id(one) not in own}
