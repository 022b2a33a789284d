"""What follows the losses of a run, and ends it."""

import keras
import numpy as np

from keras_lr.keras_private.batch_counter import BatchCounter
from keras_lr.keras_private.optimizers import accumulation, leaves
from keras_lr.trials.step import LOSS, MADE

# A loss scale finds its size in fewer batches than that, or never.
_MOST_SKIPPED = 50


class Watch(keras.callbacks.Callback):
    """Notes the loss of every update, and stops `fit` when the rule says so.

    `trials` has the model and what it trains with. The losses are fetched from the device after
    every batch, as the progress bar of `fit` does: only so is it known in time that the loss has
    diverged.
    """

    def __init__(self, trials, rule, show=None):
        super().__init__()
        # Not `self.model`, which makes the JAX trainer write back its whole state.
        self._trials = trials
        self._rule, self._show = rule, show
        self._every = accumulation(leaves(trials.optimizer)[0])
        self._updates, self._losses = [], []
        self._made, self._batches, self._has_data = 0, [], True
        self._counter = BatchCounter()

    def on_epoch_begin(self, epoch, logs=None):
        if not self._has_data:
            raise ValueError("`x` must have at least one batch. Received: data without any")
        self._has_data = False
        self._counter.begin_epoch()

    def on_train_batch_begin(self, batch, logs=None):
        self._counter.begin(batch)

    def on_epoch_end(self, epoch, logs=None):
        if self._counter.counts_a_batch_too_many(self._trials.model):
            self._counter.take_back_what_was_no_batch(self._trials.model)
            self._trials.go_to(self._made)

    def on_train_batch_end(self, batch, logs=None):
        self._has_data = True
        self._counter.end(batch)
        self._batches.append(float(logs[LOSS]))
        made, over = int(logs[MADE]), False
        if made > self._made:
            over = self._close(made)
        elif len(self._batches) >= _MOST_SKIPPED * self._every:
            self._trials.check_updates(self._made, len(self._batches))
            over = True
        if over:
            self._trials.model.stop_training = True

    def _close(self, made):
        """Takes the batches of an update together; returns whether the run is over."""
        if self._made == 0:
            self._trials.check_updates(made, len(self._batches))
        update, self._made = self._made, made
        # A loss scale that overflowed has made no update: only the last batches have.
        loss = float(np.mean(self._batches[-self._every :]))
        self._batches = []
        self._updates.append(update)
        self._losses.append(loss)
        over = self._rule.add(loss)
        if self._show:
            self._show(update, loss, over)
        return over

    @property
    def updates_per_epoch(self):
        """The updates of one pass over the data; None where `fit` does not know."""
        batches = self.params.get("steps")
        return batches and batches / self._every

    def points(self):
        """Returns the updates and their losses."""
        return np.array(self._updates, dtype="int64"), np.array(self._losses, dtype="float64")
