"""The update that TensorFlow counts where the end of the data comes unforeseen."""

import keras

from keras_lr.keras_private.optimizers import leaves


class EndOfData:
    """Takes back what TensorFlow's compiled step counts at the end of data of unknown length.

    There Keras begins a batch that there is not, and the step counts it before it finds out. For
    steps that execute one batch each.
    """

    def __init__(self, model, steps):
        self._model = model
        self._may_surprise = steps is None and keras.config.backend() == "tensorflow"
        self._counts = []

    def begin_epoch(self):
        """Notes what the optimizers have counted before an epoch."""
        if self._may_surprise:
            optimizers = leaves(self._model.optimizer)
            self._counts = [(o, int(o._iterations)) for o in optimizers]

    def end_epoch(self, batch):
        """Takes one back after an epoch, if `batch`, the last that Keras began, was counted too."""
        if self._model.stop_training:
            return
        for optimizer, count in self._counts:
            if int(optimizer._iterations) - count == batch + 1:
                optimizer._iterations.assign(count + batch)
