"""The metrics of a run, epoch by epoch, in one form, whatever recorded them."""

import csv
import os
from typing import NamedTuple

from keras_lr import checks

_FORMS = (
    "a list of one value per epoch (None where it was not measured), a dict of such lists, a "
    "History, a LearningRateRecorder, its epoch_logs, or the path of a CSVLogger's file"
)


class Trace(NamedTuple):
    """The epochs, numbered from 0, and by metric a list of one value per epoch, None if missing.

    A list that was given without a name is the column of every metric.
    """

    epochs: tuple
    columns: dict

    @classmethod
    def of(cls, metrics):
        """Returns the trace of a list, a dict, a History, a recorder or a CSVLogger's file.

        >>> Trace.of([{"epoch": 3, "loss": 0.5}, {"epoch": 4, "loss": 0.4, "val_loss": 0.6}])
        Trace(epochs=(3, 4), columns={'loss': [0.5, 0.4], 'val_loss': [None, 0.6]})
        """
        if isinstance(metrics, cls):
            return metrics
        epochs, columns = _read(metrics)
        if not epochs:
            checks.refuse("metrics", "recorded in one epoch or more", metrics)
        if list(epochs) != list(range(epochs[0], epochs[0] + len(epochs))):
            raise ValueError(
                "`metrics` must be those of consecutive epochs, of a single fit. "
                f"Received: epochs {', '.join(map(str, epochs))}"
            )
        return cls(tuple(epochs), columns)

    def column(self, name):
        """Returns the values of one metric, as numbers or None."""
        values = self.columns.get(None, self.columns.get(name))
        if values is None:
            raise ValueError(
                f"`metrics` must have the metric {name!r}. "
                f"Received: {', '.join(sorted(self.columns)) or 'nothing'}"
            )
        if len(values) != len(self.epochs):
            raise ValueError(
                f"`metrics` must have one value of {name!r} per epoch, None where it was not "
                "measured: with validation_freq, a History does not say in which epochs it was. "
                f"Received: {len(values)} values in {len(self.epochs)} epochs"
            )
        numbers = [value if value is None else checks.as_number(value) for value in values]
        for value, number in zip(values, numbers):
            if value is not None and number is None:
                checks.refuse("metrics", f"numbers in {name!r}", value)
        if all(number is None for number in numbers):
            checks.refuse("metrics", f"at least one value of {name!r}", values)
        return numbers


def _read(metrics):
    """Returns the numbers of the epochs, and the columns."""
    if isinstance(metrics, (str, os.PathLike)):
        return _by_column(_rows_of_file(metrics))
    if hasattr(metrics, "epoch_logs"):
        return _by_column(metrics.epoch_logs)
    if hasattr(metrics, "history"):
        return metrics.epoch, metrics.history
    if isinstance(metrics, dict):
        longest = max((len(values) for values in metrics.values()), default=0)
        return range(longest), metrics
    if not hasattr(metrics, "__iter__"):
        checks.refuse("metrics", _FORMS, metrics)
    values = list(metrics)
    if values and all(isinstance(value, dict) for value in values):
        return _by_column(values)
    return range(len(values)), {None: values}


def _by_column(rows):
    epochs = [row.get("epoch", index) for index, row in enumerate(rows)]
    names = dict.fromkeys(name for row in rows for name in row if name != "epoch")
    return epochs, {name: [row.get(name) for row in rows] for name in names}


def _rows_of_file(path):
    with open(path, encoding="utf-8", newline="") as file:
        # CSVLogger's first column is the epoch; the next character is its separator.
        header = file.readline().rstrip("\r\n")
        file.seek(0)
        separator = header[5:6] if header.startswith("epoch") else ""
        rows = list(csv.DictReader(file, delimiter=separator or ","))
    return [{name: _parsed(text) for name, text in row.items()} for row in rows]


def _parsed(text):
    """Returns the number that a CSVLogger wrote, None for nothing, or any other text as it is."""
    if text in (None, "", "NA"):
        return None
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text
