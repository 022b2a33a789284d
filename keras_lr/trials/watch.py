"""What follows the losses of a run, and ends it."""

import keras
import numpy as np

from keras_lr.keras_private.batch_counter import BatchCounter
from keras_lr.keras_private.optimizers import accumulation, leaves, may_skip_updates
from keras_lr.trials.step import LOSS, UPDATE

# A loss scale finds its size in fewer batches than that, or never.
_MOST_SKIPPED = 50


class Watch(keras.callbacks.Callback):
    """Notes the loss of every update, and stops `fit` when the rule says so.

    The losses are fetched from the device after every batch, as the progress bar of `fit` does:
    only so is it known in time that the loss has diverged.
    """

    def __init__(self, model, rule, show=None):
        super().__init__()
        # Not `self.model`, which makes the JAX trainer write back its whole state.
        self._trained = model
        self._rule, self._show = rule, show
        self._every = accumulation(leaves(model.optimizer)[0])
        self._may_skip = may_skip_updates(model.optimizer)
        self._updates, self._losses = [], []
        self._update, self._batches, self._has_data = None, [], True
        self._counter = BatchCounter()

    def on_epoch_begin(self, epoch, logs=None):
        if not self._has_data:
            raise ValueError("`x` must have at least one batch. Received: data without any")
        self._has_data = False
        self._counter.begin_epoch()

    def on_train_batch_begin(self, batch, logs=None):
        self._counter.begin(batch)

    def on_epoch_end(self, epoch, logs=None):
        self._counter.take_back_what_was_no_batch(self._trained)

    def on_train_batch_end(self, batch, logs=None):
        self._has_data = True
        self._counter.end(batch)
        update, over = int(logs[UPDATE]), False
        if update != self._update:
            over = self._close()
            self._update = update
        self._batches.append(float(logs[LOSS]))
        if len(self._batches) == self._every and not self._may_skip:
            over = self._close()
        if over or len(self._batches) > _MOST_SKIPPED * self._every:
            self._trained.stop_training = True

    def _close(self):
        """Takes the batches of an update together; returns whether the run is over."""
        if not self._batches:
            return False
        # A loss scale that overflowed has made no update: only the last batches have.
        loss = float(np.mean(self._batches[-self._every :]))
        self._batches = []
        self._updates.append(self._update)
        self._losses.append(loss)
        over = self._rule.add(loss)
        if self._show:
            self._show(self._update, loss, over)
        return over

    def points(self):
        """Returns the updates and their losses."""
        return np.array(self._updates, dtype="int64"), np.array(self._losses, dtype="float64")
