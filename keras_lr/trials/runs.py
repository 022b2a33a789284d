"""Trials: any number of training runs from one state, at any rates, compiled once."""

import warnings

import numpy as np
from keras import ops

from keras_lr.keras_private.building import build_before_training
from keras_lr.keras_private.overrides import Overrides
from keras_lr.keras_private.trial_fit import begin_trials, has_statistics, hasten_statistics
from keras_lr.trials import use
from keras_lr.trials.rate_table import RateTable
from keras_lr.trials.step import LOSS, ReportingStep
from keras_lr.trials.stopping import AfterUpdates
from keras_lr.trials.transaction import Transaction
from keras_lr.trials.watch import Watch

# `fit` reads small data again and again until a trial says that it is over.
_WITHOUT_END = 10**9
# Updates after which moving statistics are the data's, at a rate that moves no weight; 0 would make
# some optimizers divide by it.
_SETTLING, _NO_RATE = 20, 1e-30


class Trials:
    """Runs of `fit` on one model, each from the state in which the `with` found it.

    At the end of the `with`, however it comes, everything is as before, bit for bit; only what was
    not built is built, with the values that it was built with. `data` are the arguments of `fit`
    that say what to train on, `most_updates` the length of the longest run, `optimizer` the one
    that has the rates, by default the model's; `after` and `validation_batch` are those of
    `ReportingStep`. Raises ValueError, before anything has changed, for what could not be put
    back, and in the first run for an optimizer that the model's own `train_step` does not use.

    Moving statistics of BatchNormalization follow the data faster in them than by Keras' default,
    and have settled before a `validation_batch` is read.

    >>> import keras, numpy as np
    >>> from keras_lr.trials import AfterUpdates, Trials
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.compile("sgd", "mse")
    >>> model.set_weights([np.array([[2.0]])])
    >>> with Trials(model, {"x": np.ones((4, 1)), "y": np.zeros((4, 1))}, 3) as trials:
    ...     runs = [trials.run([rate] * 3, AfterUpdates(3), seed=0) for rate in (0.25, 0.5)]
    >>> [losses.tolist() for _, losses in runs]  # the weight is halved, or 0 at once
    [[4.0, 1.0, 0.25], [4.0, 0.0, 0.0]]
    >>> model.get_weights()[0].tolist()
    [[2.0]]
    """

    def __init__(
        self, model, data, most_updates, *, optimizer=None, after=False, validation_batch=None
    ):
        self.model, self.optimizer = model, optimizer or model.optimizer
        self._data, self._most = data, most_updates
        self._measure = {"after": after, "validation_batch": validation_batch}
        self._overrides, self._table = Overrides(), None
        # The variables of moving statistics, and the values that runs begin with.
        self._statistics, self._settled = [], None
        # Made in all runs together, and those in one pass over the data, None if nobody knows.
        self.updates, self.updates_per_epoch = 0, None

    def __enter__(self):
        model = self.model
        use.check_can_be_put_back(model, self.optimizer)
        self._transaction = Transaction(model, self._data["x"], [self.optimizer])
        begin_trials(self._overrides, model)
        self._make_train_function = model.make_train_function
        self._overrides.put(model, "make_train_function", self._prepare)
        return self

    def __exit__(self, *exception):
        if self._table is not None:
            self._table.take_off()
        self._overrides.take_off()
        self._transaction.restore()

    def run(self, rates, rule, seed, show=None):
        """Trains at `rates[0]`, `rates[1]`, … until `rule.add(loss)` says that it is over.

        Beyond its end the last rate is kept. `seed` is what shuffling begins with; `show` is called
        after each update with its number, its loss and whether it was the last.

        Returns the numbers of the updates and their losses as arrays; a loss is that of the batch,
        or the mean of the batches that accumulated.
        """
        if self._settled is None:
            self._settle(seed)
        watch = self._train(rates, rule, seed, show)
        self.updates_per_epoch = watch.updates_per_epoch
        updates, losses = watch.points()
        self.updates += len(updates)
        return updates, losses

    def _train(self, rates, rule, seed, show=None):
        self.reset(seed)
        self._rates = rates
        watch = Watch(self, rule, show)
        with warnings.catch_warnings():
            # Running out of data is what reading it again and again is for.
            warnings.filterwarnings("ignore", message="Your input ran out of data")
            self.model.fit(**self._data, epochs=_WITHOUT_END, verbose=0, callbacks=[watch])
        return watch

    def _settle(self, seed):
        """Finds the moving statistics to begin with, where a validation batch tells the losses.

        From 0 and 1 they would travel to the data's in the first updates, whatever the rate.
        """
        self._settled = []
        if self._measure["validation_batch"] is None or not has_statistics(self.model):
            return
        self._train([_NO_RATE], AfterUpdates(_SETTLING), seed)
        self._settled = [np.array(ops.convert_to_numpy(v)) for v in self._statistics]

    def reset(self, seed):
        """Goes back to the state before all runs, with what shuffling and the like begin with."""
        self._transaction.rollback()
        for variable, value in zip(self._statistics, self._settled or []):
            variable.assign(ops.array(value))
        self._transaction.randomness.seed(seed)

    def evaluate(self, arguments):
        """Returns the loss of the present weights on some data.

        `arguments` are those of `evaluate`, or a function that makes them.
        """
        arguments = arguments() if callable(arguments) else arguments
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Your input ran out of data")
            found = self.model.evaluate(**arguments, verbose=0, return_dict=True)
        return float(found[LOSS])

    def go_to(self, update):
        """Has the run go on at the rate of an update."""
        self._table.go_to(update)

    def check_updates(self, made, batches):
        """Raises unless the optimizer has made updates at the rates of the table."""
        use.check_is_used(self.model, self.optimizer, made, batches, self._table.was_read)

    def _prepare(self, force=False):
        """Takes the place of `make_train_function`, which `fit` calls once it knows its data.

        In the first run it puts in place what must be there before the step is traced.
        """
        if self._table is None:
            self._build()
        self._table.write(self._rates)
        self._make_train_function(force=force)

    def _build(self):
        model = self.model
        build_before_training(model)
        if not model.trainable_variables:
            raise ValueError(
                "The model must have trainable weights. Received: none; see `layer.trainable`"
            )
        self._transaction.note_variables()
        self._statistics = hasten_statistics(self._overrides, model)
        self._table = RateTable(model, self._most, self.optimizer)
        step = ReportingStep(model, self._table, **self._measure)
        self._overrides.put(model, "train_step", step.take)
