"""The batches of a running epoch, as Keras tells its callbacks of them."""

import keras

from keras_lr.keras_private.optimizers import batches_counted, leaves, set_batches_counted


class BatchCounter:
    """Which batch began last, and how many have ended, since the epoch began.

    >>> counter = BatchCounter()
    >>> counter.begin_epoch()
    >>> for batch in range(3):
    ...     counter.begin(batch)
    ...     counter.end(batch)
    >>> counter.begin(3)  # the data had come to its end
    >>> counter.last_begun, counter.ended, counter.last_had_no_data
    (3, 3, True)
    """

    def __init__(self):
        self.begin_epoch()

    def begin_epoch(self):
        """Starts from 0."""
        self.last_begun, self.ended, self.is_in_epoch = -1, 0, True

    def end_epoch(self):
        """Notes that no further batch of it comes."""
        self.is_in_epoch = False

    def begin(self, batch):
        """Notes the index of a batch that begins."""
        self.last_begun = batch

    def end(self, batch):
        """Notes the index of a batch that has ended, with `steps_per_execution` the last one."""
        self.ended = batch + 1

    def is_after_batch(self, counted):
        """Tells whether a batch was made and no other one has begun, by those counted so far.

        Callbacks that are listed earlier are told of the end of a batch before this is.
        """
        has_ended = self.ended > self.last_begun or counted > self.last_begun
        return not self.is_in_epoch or (self.last_begun >= 0 and has_ended)

    @property
    def last_had_no_data(self):
        """Tells, after an epoch of `fit`, whether the last batch that began was none.

        Where the end of the data comes unforeseen Keras begins a batch that does not exist.
        """
        return self.last_begun >= self.ended > 0

    def counts_a_batch_too_many(self, model):
        """Tells, after an epoch of `fit`, whether the optimizer has counted a batch without data.

        TensorFlow's compiled step adds 1 to the counter before it finds out that there is none.
        """
        by_one = keras.config.backend() == "tensorflow" and model.steps_per_execution == 1
        return by_one and self.last_had_no_data

    def take_back_what_was_no_batch(self, model):
        """Puts the counters of a model's optimizers right after an epoch of `fit`."""
        if self.counts_a_batch_too_many(model):
            for optimizer in leaves(model.optimizer):
                set_batches_counted(optimizer, batches_counted(optimizer) - 1)
