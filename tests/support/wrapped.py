"""An optimizer around another, as strangers write them."""

import keras


class Wrapper(keras.optimizers.Optimizer):
    """As Lookahead and the like: the one inside updates."""

    def __init__(self, base):
        super().__init__(0.0)
        self.base = base

    def build(self, variables):
        super().build(variables)
        self.base.build(variables)

    def apply(self, gradients, variables=None):
        self.base.apply(gradients, variables)
        self._iterations.assign_add(1)
