"""Several optimizers in one: copies of an optimizer, and which of them moves which weight."""

from typing import Any

import keras

# Keras 3.14 has none: there the class below exists, and raises when an object is made.
_MultiOptimizer: Any = getattr(keras.optimizers, "MultiOptimizer", keras.optimizers.Optimizer)
# What Keras does not keep in the config.
_NOT_IN_CONFIG = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")


def copy_of(optimizer, name, learning_rate):
    """Returns a new optimizer with the settings of another, under its own name and rate."""
    held = vars(optimizer)
    own = held["_learning_rate"]
    # The config is taken without the rate: not every schedule can be saved.
    held["_learning_rate"] = 0.0
    try:
        config = optimizer.get_config()
    finally:
        held["_learning_rate"] = own
    copy = type(optimizer).from_config({**config, "name": name, "learning_rate": learning_rate})
    vars(copy).update({key: held[key] for key in _NOT_IN_CONFIG if key in held})
    return copy


class OptimizersByPlace(_MultiOptimizer):
    """A `MultiOptimizer` that knows its weights by place: `groups[i]` is the optimizer of weight i.

    Keras' own map goes by the paths of weights. Two weights of nested models can share a path, and
    a subclassed model that was loaded has other paths. Here the order is that of the model's
    `trainable_variables`, as in the optimizer's state that Keras saves. `groups` has the number of
    an optimizer for each weight, or None if it is frozen; `shapes` has the weights' shapes, by
    which another model is noticed. Frozen weights are given to no optimizer: no weight decay,
    average or constraint moves them, and they have no slots.
    """

    def __init__(self, optimizers, groups, shapes, loss_scale_factor, name):
        if not hasattr(keras.optimizers, "MultiOptimizer"):
            raise RuntimeError(
                "Rates by layer need keras.optimizers.MultiOptimizer, which came with Keras 3.15: "
                f"pip install 'keras>=3.15'. Received: Keras {keras.__version__}"
            )
        super().__init__(None, loss_scale_factor=loss_scale_factor, name=name)
        self._inner_optimizers.extend(optimizers)
        # Keras gives the factor of the whole to the parts, not the other way round.
        self.loss_scale_factor = loss_scale_factor
        # Past the optimizer's own `__setattr__`, which on TensorFlow wraps lists.
        vars(self)["groups"], vars(self)["shapes"] = list(groups), list(map(list, shapes))

    def build(self, variables):
        if self.built:
            return
        if [list(variable.shape) for variable in variables] != self.shapes:
            self._refuse(variables)
        self._var_to_optimizer_idx = {
            self._var_key(variable): group
            for variable, group in zip(variables, self.groups)
            if group is not None
        }
        for group, optimizer in enumerate(self.optimizers):
            optimizer.build([v for v, own in zip(variables, self.groups) if own == group])
        # Past the method of MultiOptimizer, which asks its map.
        super(_MultiOptimizer, self).build(variables)

    def _refuse(self, variables):
        raise ValueError(
            "An optimizer of keras_lr.discriminative must be compiled into the model that it was "
            "made for, with the same weights trainable. After a change of `trainable`, make "
            f"another one and compile again. Received: {len(variables)} trainable weights, made "
            f"for {len(self.shapes)}"
        )

    def apply(self, grads, trainable_variables=None):
        variables = trainable_variables or self._trainable_variables
        self.build(variables)
        if not len(grads) == len(variables) == len(self.shapes):
            self._refuse(variables)
        self._check_variables_are_known(variables)
        pairs = [[] for _ in self.optimizers]
        for gradient, variable in zip(grads, variables):
            group = self._var_to_optimizer_idx.get(self._var_key(variable))
            if group is not None:
                pairs[group].append((gradient, variable))
        for optimizer, own in zip(self.optimizers, pairs):
            if any(gradient is not None for gradient, _ in own):
                optimizer.apply(*map(list, zip(*own)))
            else:
                # The loss does not depend on these weights. Keras would raise; the clock goes on.
                optimizer._iterations.assign_add(1)
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list):
        known = self._var_to_optimizer_idx
        super().finalize_variable_values([v for v in var_list if self._var_key(v) in known])
