"""`LearningRateRecorder`: the rate of every update, and who changed it when and why."""

import csv
import io
import math
import os

import numpy as np

from keras_lr import checks
from keras_lr.callbacks.base import RateCallback
from keras_lr.driving.tally import Tally
from keras_lr.files import write_atomically


class LearningRateRecorder(RateCallback):
    """Records the rate that was really applied, per update and per epoch, and every change.

    No device is read per batch: between two changes the rate is known from the formulas, so the
    record costs one evaluation per epoch. `logs["learning_rate"]` (so History, the progress bar
    and a CSVLogger, which must be listed after this callback) is the rate of the epoch's last
    update; under a `MultiOptimizer` there is one column per optimizer, `learning_rate_<name>`.

    `tensorboard`, a folder, gets an event file in which these names are scalars over the number of
    the update, written once per epoch (needs the extra `tensorboard`). Give a folder of its own:
    Keras' `TensorBoard` has one rate per epoch, `epoch_learning_rate`.

    `updates`, `learning_rates` (a dict by optimizer name), `epoch_logs` and `events` hold the
    record of the last fit; `to_dict`, `to_csv` and `plot` give it away. Where the optimizers of a
    `MultiOptimizer` accumulate over different numbers of batches there is a row wherever one of
    them updates, with NaN for the others, numbered by batches.

    What others do to the rate or the counter in the midst of an epoch is seen when they do it,
    which reads the counter then. What cannot be seen, as when a compiled training step writes the
    rate itself, is NaN, with an event that says so. Updates that are taken
    back, as by `ReduceLROnPlateau(restore_best="all")`, were made and stay in the record: their
    numbers come again, and `undone` tells them apart. An epoch that was interrupted is not in it.

    >>> import keras, numpy as np
    >>> from keras_lr.callbacks import LearningRateRecorder
    >>> from keras_lr.schedules import LinearDecay
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(LinearDecay(1.0, 4)), "mse")
    >>> recorder = LearningRateRecorder()
    >>> x, y = np.ones((8, 2)), np.ones((8, 1))
    >>> history = model.fit(x, y, batch_size=4, epochs=2, callbacks=[recorder], verbose=0)
    >>> recorder.learning_rate.tolist()
    [1.0, 0.75, 0.5, 0.25]
    >>> history.history["learning_rate"]
    [0.75, 0.25]
    """

    records = True

    def __init__(self, tensorboard=None, *, optimizer=None):
        super().__init__(optimizer)
        if tensorboard is not None and not isinstance(tensorboard, (str, os.PathLike)):
            checks.refuse("tensorboard", "the path of a folder, or None", tensorboard)
        self.tensorboard = tensorboard
        if tensorboard is not None:
            _tensorboard()
        self._clear()

    def _clear(self):
        self._updates, self._rates, self.epoch_logs, self._events = [], {}, [], []
        # How many updates the record has, where the next one begins, and the last of this epoch.
        self._length, self._begin, self._last = 0, 0, {}
        self._event_positions, self.epoch_ends, self._writer = [], [], None
        self._tally = None

    @property
    def updates(self):
        """The number of each recorded update, as the optimizer counts them."""
        return np.concatenate([np.zeros(0, int), *self._updates])

    @property
    def undone(self):
        """Which of the recorded updates were taken back, as booleans."""
        updates = self.updates
        to_come = np.append(updates, self._begin)[1:]
        return updates >= np.minimum.accumulate(to_come[::-1])[::-1]

    @property
    def learning_rates(self):
        """The applied rates by optimizer name, each an array as long as `updates`.

        NaN where an optimizer made no update, and where its rate is not known.
        """
        return {name: np.concatenate(parts) for name, parts in self._rates.items()}

    @property
    def learning_rate(self):
        """The applied rates of a model with one optimizer."""
        rates = self.learning_rates
        if len(rates) > 1:
            raise ValueError(
                "This model has several optimizers: take `learning_rates`, by name. "
                f"Received: {', '.join(rates)}"
            )
        return next(iter(rates.values()), np.zeros(0))

    @property
    def events(self):
        """Every change of the rate by a callback: epoch, update, who, from, to, why."""
        return self._events

    @property
    def event_positions(self):
        """How many updates had been recorded when each of `events` took effect."""
        return self._event_positions + self._later_positions()

    def _later_positions(self):
        """Returns the positions of the events since updates were recorded last."""
        later = self._events[len(self._event_positions) :]
        tally = self._tally
        return [self._length + tally.row_of(e.optimizer, e.update) for e in later] if tally else []

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._clear()
        self._events = self.driver.events
        if self.tensorboard is not None:
            self._writer = _writer(self.tensorboard)

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __getstate__(self):
        # What belongs to the fit cannot be pickled.
        gone = {"_writer": None, "_tally": None}
        return {**super().__getstate__(), **gone, "_event_positions": self.event_positions}

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self.begin_record()
        self._last = {"update": self._begin}

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        super().on_epoch_end(epoch, logs)
        self.record_updates(without_last=self.driver.batches_without_data)
        self.epoch_logs.append({"epoch": epoch, **self._last, **logs})
        self.epoch_ends.append(self._length)

    def begin_record(self):
        self._tally = Tally(self.driver.driven.driven_by(self))
        self._begin = self._tally.begin

    def record_updates(self, without_last=0):
        """Records the updates made since the last time, not counting the last few batches."""
        updates, rates = self._tally.rows(without_last)
        self._add_columns(rates)
        if self._writer is not None:
            self._write(updates, rates)
        if len(updates):
            self._last = {"update": int(updates[-1])}
        end = self._length + len(updates)
        self._event_positions += [min(position, end) for position in self._later_positions()]
        self._updates.append(updates)
        self._length = end
        self.begin_record()

    def _add_columns(self, rates):
        """Adds rates to the columns of all optimizers so far, which are of one length."""
        count = len(next(iter(rates.values())))
        for name in rates:
            self._rates.setdefault(name, [np.full(self._length, math.nan)])
        for name, column in self._rates.items():
            column.append(rates.get(name, np.full(count, math.nan)))

    def _write(self, updates, rates):
        driven_set = self.driver.driven
        names = {driven.name: driven_set.log_name(driven) for driven in driven_set}
        for name, column in rates.items():
            for update, rate in zip(updates, column):
                if not math.isnan(rate):
                    self._writer.add_scalar(names[name], float(rate), step=int(update))
        self._writer.flush()

    def to_dict(self):
        """Returns the record as lists and dicts, ready for JSON."""
        return {
            "updates": self.updates.tolist(),
            "learning_rates": {name: rates.tolist() for name, rates in self.learning_rates.items()},
            "epochs": [
                {key: np.asarray(value).tolist() for key, value in row.items()}
                for row in self.epoch_logs
            ],
            "events": [event._asdict() for event in self.events],
        }

    def to_csv(self, path):
        """Writes one line per update, update and rate by optimizer, replacing `path` at once."""
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(["update", *self.learning_rates])
        writer.writerows(zip(self.updates.tolist(), *self.learning_rates.values()))
        write_atomically(path, buffer.getvalue())

    def plot(self, ax=None):
        """Draws rate, losses and events over the updates (needs the extra `plot`)."""
        from keras_lr import plotting

        return plotting.plot_record(self, ax=ax)


def _tensorboard():
    try:
        from tensorboard import summary
    except ImportError as error:
        raise ImportError(
            "LearningRateRecorder(tensorboard=…) needs TensorBoard, which TensorFlow does not "
            "bring: pip install 'keras_lr[tensorboard]'"
        ) from error
    return summary


def _writer(folder):
    return _tensorboard().Writer(os.fspath(folder))
