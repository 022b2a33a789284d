"""Trials: runs of training at given rates, inside a transaction, of which nothing stays."""

import contextlib
import warnings

import keras
import numpy as np
from keras import ops

from keras_lr.driving.driven_optimizer import DrivenOptimizer
from keras_lr.keras_private.batch_counter import BatchCounter
from keras_lr.keras_private.optimizers import leaves, multiplier_of
from keras_lr.trials.probe import LOSS, UPDATE, Probe

# `fit` goes round small data until a trial says that it is over.
_WITHOUT_END = 10**9
# A loss scale finds its size in fewer batches than that, or never.
_MOST_SKIPPED = 50


class Trials:
    """Runs `fit` on one model again and again, from the same state.

    `measure` are the arguments of `Probe` beyond model and counter, `data` those of `fit`.
    """

    def __init__(self, model, transaction, data, **measure):
        self._model, self._transaction, self._data = model, transaction, data
        self._rates, self._base = [], None
        held = vars(model)
        self._probe = Probe(model, self._count_updates, **measure)
        held["make_train_function"] = self._make_train_function
        held["steps_per_execution"] = 1
        # No metrics, and a loss of our own: the user's stay as they are, also unbuilt, so that the
        # next `fit` reads its data once more to build them, and shuffles like a first one.
        held["_compile_metrics"] = None
        if model._compile_loss is not None:
            loss = model._compile_loss
            held["_compile_loss"] = type(loss)(
                loss._user_loss, loss._user_loss_weights, output_names=loss.output_names
            )

    def run(self, base, rule, seed, progress=None):
        """Trains at the rates `base(0)`, `base(1)`, … until `rule` says stop.

        Returns updates and their losses as arrays; a loss is that of the batch, or the mean of the
        batches that accumulated.
        """
        self._transaction.rollback()
        self._transaction.randomness.seed(seed)
        if base is not self._base:
            # Rates are compiled into the step; repeats of the same go without another compilation.
            self.close()
            self._base = base
            vars(self._model)["train_function"] = None
            # A new function each time: JAX does not trace one again that it has seen.
            vars(self._model)["train_step"] = lambda *args: self._probe.step(*args)
            if keras.config.backend() == "tensorflow":
                self._probe.before_first_step = self._build
        watch = _Watch(self._model, rule, self._rates, progress)
        with _without_warnings():
            self._model.fit(**self._data, epochs=_WITHOUT_END, verbose=0, callbacks=[watch])
        return watch.points()

    def close(self):
        """Takes the rates out of the optimizer."""
        for rate in self._rates:
            rate.remove()
        self._rates.clear()

    def _make_train_function(self, force=False):
        if keras.config.backend() != "tensorflow":
            self._prepare()
        type(self._model).make_train_function(self._model, force=force)

    def _build(self, data):
        import tensorflow as tf

        model = self._model
        with tf.init_scope():
            if not all(layer.built for layer in model._flatten_layers()):
                model._symbolic_build(data_batch=data)
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
            self._prepare()

    def _prepare(self):
        """Sees to what is built by now, before the first step: copies of it, and the rates."""
        self._transaction.note_variables()
        if self._rates:
            return
        model = self._model
        if not model.trainable_variables:
            raise ValueError(
                "The model must have trainable weights. Received: none; see `layer.trainable`"
            )
        optimizers = leaves(model.optimizer)
        for optimizer, share in zip(optimizers, _shares(optimizers)):
            base = self._base if share == 1.0 else self._base * share
            self._rates.append(DrivenOptimizer(optimizer))
            self._rates[-1].compile(model, base, ())
        # A part of a MultiOptimizer that has no weights makes no updates.
        self._counting = next((r for r in self._rates if r.optimizer.built), self._rates[0])

    def _count_updates(self):
        return ops.subtract(self._counting.optimizer.iterations, self._counting.offset)


def _shares(optimizers):
    """Returns each optimizer's rate, at multiplier 1, as a part of the largest; 1 if that is 0."""
    rates = [float(optimizer.learning_rate) / multiplier_of(optimizer) for optimizer in optimizers]
    highest = max(rates)
    return [rate / highest if highest > 0 else 1.0 for rate in rates]


@contextlib.contextmanager
def _without_warnings():
    with warnings.catch_warnings():
        # Running out of data is what goes round and round is for.
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        yield


class _Watch(keras.callbacks.Callback):
    """Notes the loss of every update, and stops `fit` when the rule says so.

    The losses are fetched from the device after every batch, as the progress bar of `fit` does:
    only so is it known in time that the loss has diverged.
    """

    def __init__(self, model, rule, rates, progress):
        super().__init__()
        # Not `self.model`, which makes the JAX trainer write back its whole state.
        self._trained = model
        self._rule, self._rates, self._progress = rule, rates, progress
        self._counter = BatchCounter()
        self._updates, self._losses = [], []
        self._update, self._batches, self._seen, self._seen_before = None, [], 0, -1

    def on_epoch_begin(self, epoch, logs=None):
        if self._seen == self._seen_before:
            raise ValueError("`x` must have at least one batch. Received: data without any")
        self._seen_before = self._seen
        self._counter.begin_epoch()

    def on_train_batch_begin(self, batch, logs=None):
        self._counter.begin(batch)

    def on_epoch_end(self, epoch, logs=None):
        if self._counter.counts_a_batch_too_many(self._trained):
            for rate in self._rates:
                rate.forget_last_batch()

    def on_train_batch_end(self, batch, logs=None):
        self._seen += 1
        self._counter.end(batch)
        update, loss = int(logs[UPDATE]), float(logs[LOSS])
        over = False
        if update != self._update:
            over = self._close()
            self._update = update
        self._batches.append(loss)
        every = self._accumulation()
        if len(self._batches) == every and not self._may_skip():
            over = self._close()
        stuck = len(self._batches) > _MOST_SKIPPED * every
        self._trained.stop_training = over or stuck

    def _close(self):
        """Takes the batches of an update together; returns whether the trial is over."""
        if not self._batches:
            return False
        # A loss scale that overflowed has made no update: only the last batches have.
        loss = float(np.mean(self._batches[-self._accumulation() :]))
        self._batches = []
        self._updates.append(self._update)
        self._losses.append(loss)
        over = self._rule.add(loss)
        if self._progress:
            self._progress(self._update, loss, over)
        return over

    def _accumulation(self):
        return leaves(self._trained.optimizer)[0].gradient_accumulation_steps or 1

    def _may_skip(self):
        return hasattr(self._trained.optimizer, "inner_optimizer")

    def points(self):
        """Returns the updates and their losses."""
        return np.array(self._updates, dtype="int64"), np.array(self._losses, dtype="float64")
