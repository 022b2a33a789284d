"""`LayerwiseOptimizer`: one optimizer per group of weights, each with a share of the rate."""

import keras

from keras_lr.keras_private.multi_optimizer import OptimizersByPlace
from keras_lr.keras_private.optimizers import multiplier_of, set_multiplier


@keras.saving.register_keras_serializable(package="keras_lr")
class LayerwiseOptimizer(OptimizersByPlace):
    """What `discriminative` returns: optimizer i moves the weights of group i.

    Rates that callbacks name are those at multiplier 1; `multipliers[i]` is the share of
    optimizer i in them.
    """

    def __init__(
        self, optimizers, multipliers, groups, shapes, loss_scale_factor=None, name="layerwise"
    ):
        super().__init__(optimizers, groups, shapes, loss_scale_factor, name)
        for optimizer, multiplier in zip(optimizers, multipliers, strict=True):
            set_multiplier(optimizer, multiplier)

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
