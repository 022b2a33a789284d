"""One optimizer per group of weights, as a `MultiOptimizer` that knows its weights by place."""

import keras

from keras_lr.keras_private.optimizers import multiplier_of, set_multiplier

# Keras 3.14 has none: there the class below exists and refuses to be made.
_MultiOptimizer = getattr(keras.optimizers, "MultiOptimizer", keras.optimizers.Optimizer)


@keras.saving.register_keras_serializable(package="keras_lr")
class LayerwiseOptimizer(_MultiOptimizer):
    """What `discriminative` returns: `optimizers`, the i-th of which moves the weights of group i.

    Keras' own map goes by the paths of weights, which two weights of nested models can share, and
    which are others in a subclassed model that was loaded. Here it is the order of the model's
    `trainable_variables`, as in the optimizer's state that Keras saves: `groups` has the number of
    the group of each, None for a frozen one, `shapes` their shapes, so that another model is
    noticed. Frozen weights are given to no optimizer: nothing moves them, neither weight decay,
    averages nor constraints, and they have no slots.
    """

    def __init__(
        self, optimizers, multipliers, groups, shapes, loss_scale_factor=None, name="layerwise"
    ):
        if not hasattr(keras.optimizers, "MultiOptimizer"):
            raise RuntimeError(
                "Rates by layer need keras.optimizers.MultiOptimizer, which came with Keras 3.15: "
                f"pip install 'keras>=3.15'. Received: Keras {keras.__version__}"
            )
        super().__init__(None, loss_scale_factor=loss_scale_factor, name=name)
        self._inner_optimizers.extend(optimizers)
        for optimizer, multiplier in zip(optimizers, multipliers, strict=True):
            # Callbacks that name absolute rates mean those at multiplier 1.
            set_multiplier(optimizer, multiplier)
        # Keras gives the groups the factor of the whole, not the other way round.
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
                # Weights that the loss does not see. Keras would raise; all clocks go on alike.
                optimizer._iterations.assign_add(1)
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list):
        known = self._var_to_optimizer_idx
        super().finalize_variable_values([v for v in var_list if self._var_key(v) in known])

    def get_config(self):
        return {
            "optimizers": [keras.saving.serialize_keras_object(o) for o in self.optimizers],
            "multipliers": [multiplier_of(optimizer) for optimizer in self.optimizers],
            "groups": self.groups,
            "shapes": self.shapes,
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        optimizers = [
            keras.saving.deserialize_keras_object(optimizer, custom_objects=custom_objects)
            for optimizer in config["optimizers"]
        ]
        return cls(**{**config, "optimizers": optimizers})
