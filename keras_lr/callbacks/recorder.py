"""`LearningRateRecorder`: the rate of every update, and who changed it when and why."""

import csv
import io

import numpy as np

from keras_lr.callbacks.base import RateCallback
from keras_lr.files import write_atomically


class LearningRateRecorder(RateCallback):
    """Records the rate that was really applied, per update and per epoch, and every change.

    No device is read per batch: between two changes the rate is known from the formulas, so the
    record costs one evaluation per epoch. `logs["learning_rate"]` (so History, the progress bar
    and a CSVLogger listed after this callback) is the rate of the epoch's last update; under a
    `MultiOptimizer` there is one column per optimizer, `learning_rate_<name>`.

    `updates`, `learning_rates` (a dict by optimizer name), `epoch_logs` and `events` hold the
    record of the last fit; `to_dict`, `to_csv` and `plot` give it away.

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

    def __init__(self):
        super().__init__()
        self._clear()

    def _clear(self):
        self._updates, self._rates, self.epoch_logs, self._events = [], {}, [], []

    @property
    def updates(self):
        """The number of each recorded update, as the optimizer counts them."""
        return np.concatenate([np.zeros(0, int), *self._updates])

    @property
    def learning_rates(self):
        """The applied rates by optimizer name, each an array as long as `updates`."""
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

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._clear()
        self._events = self.driver.events

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self._begin = self.driver.rates[0].updates_done()

    def on_epoch_end(self, epoch, logs=None):
        updates = np.arange(self._begin, self.driver.rates[0].updates_done())
        self._updates.append(updates)
        logs = {} if logs is None else logs
        single = len(self.driver.rates) == 1
        for rate in self.driver.rates:
            applied = rate.ledger.at(updates)
            self._rates.setdefault(rate.name, []).append(applied)
            if len(applied):
                key = "learning_rate" if single else f"learning_rate_{rate.name}"
                logs[key] = float(applied[-1])
        self.epoch_logs.append(
            {"epoch": epoch, "update": int(updates[-1]) if len(updates) else self._begin, **logs}
        )

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
