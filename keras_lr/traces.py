"""The metrics of a run, epoch by epoch, in one form, whatever recorded them."""

import csv
import io
import itertools
import os
import re
from collections.abc import Mapping, Set
from typing import NamedTuple

from keras_lr import checks

_FORMS = (
    "a list of one value per epoch (None where it was not measured), a dict of such lists, a "
    "History, a LearningRateRecorder, its epoch_logs, or the path of a CSVLogger's file"
)
_MOST_EPOCHS, _LARGEST_FILE = 10**6, 10**8
# CSVLogger's first column is the epoch; the next character is its separator.
_EPOCH_FIRST = re.compile(r'\s*("?)epoch\1([^\w"\r\n])')


class Trace(NamedTuple):
    """The epochs, numbered from 0, and by metric a list of one value per epoch, None if missing.

    A list that was given without a name is the column of every metric. `argument` is what messages
    call the record.
    """

    epochs: tuple
    columns: dict
    argument: str = "metrics"

    @classmethod
    def of(cls, metrics, argument="metrics"):
        """Returns the trace of a list, a dict, a History, a recorder or a CSVLogger's file.

        >>> logs = [{"epoch": 3, "loss": 0.5}, {"epoch": 4, "loss": 0.4, "val_loss": 0.6}]
        >>> Trace.of(logs)[:2]
        ((3, 4), {'loss': [0.5, 0.4], 'val_loss': [None, 0.6]})
        """
        if isinstance(metrics, cls):
            return metrics
        epochs, columns = _read(argument, metrics)
        epochs = [_whole(argument, epoch) for epoch in epochs]
        if not epochs:
            checks.refuse(argument, "recorded in one epoch or more", metrics)
        if list(epochs) != list(range(epochs[0], epochs[0] + len(epochs))):
            raise ValueError(
                f"`{argument}` must be of consecutive epochs, of a single fit. "
                f"Received: epochs {', '.join(map(str, epochs))}"
            )
        return cls(tuple(epochs), columns, argument)

    def column(self, name):
        """Returns the values of one metric, as numbers or None."""
        values = self.columns.get(None, self.columns.get(name))
        if values is None:
            raise ValueError(
                f"`{self.argument}` must have the metric {name!r}. "
                f"Received: {', '.join(sorted(map(str, self.columns))) or 'nothing'}"
            )
        if len(values) != len(self.epochs):
            raise ValueError(
                f"`{self.argument}` must have one value of {name!r} per epoch, None where it was "
                "not measured: with validation_freq, a History does not say in which epochs. "
                f"Received: {len(values)} values in {len(self.epochs)} epochs"
            )
        numbers = [value if value is None else checks.as_number(value) for value in values]
        for value, number in zip(values, numbers):
            if value is not None and (number is None or not _is_float(number)):
                checks.refuse(self.argument, f"numbers in {name!r}", value)
        if all(number is None for number in numbers):
            checks.refuse(self.argument, f"at least one value of {name!r}", values)
        return numbers


def _is_float(number):
    try:
        float(number)
    except OverflowError:
        return False
    return True


def _whole(argument, epoch):
    """Returns the number of an epoch, which some write as a float."""
    number = checks.as_number(epoch)
    if number is None or not 0 <= number < 2**31 or number != int(number):
        checks.refuse(argument, "of epochs that are whole numbers from 0 on", epoch)
    return int(number)


def _read(argument, metrics):
    """Returns the numbers of the epochs, and the columns."""
    if isinstance(metrics, (str, os.PathLike)):
        return _by_column(_rows_of_file(argument, metrics))
    if hasattr(metrics, "epoch_logs"):
        return _by_column(metrics.epoch_logs)
    if hasattr(metrics, "history") and hasattr(metrics, "epoch"):
        return metrics.epoch, _columns(argument, metrics.history)
    if isinstance(metrics, Mapping):
        columns = _columns(argument, metrics)
        return range(max(map(len, columns.values()), default=0)), columns
    values = _listed(argument, metrics, _FORMS)
    if values and all(isinstance(value, Mapping) for value in values):
        return _by_column(values)
    return range(len(values)), {None: values}


def _columns(argument, metrics):
    return {
        name: _listed(argument, values, f"a dict of lists, {name!r} too")
        for name, values in metrics.items()
    }


def _listed(argument, values, required):
    """Returns values in order as a list; refuses what has no order or no end."""
    try:
        found = None if isinstance(values, (str, bytes, Set, Mapping)) else iter(values)
    except TypeError:
        found = None
    if found is None:
        checks.refuse(argument, required, values)
    listed = list(itertools.islice(found, _MOST_EPOCHS + 1))
    if len(listed) > _MOST_EPOCHS:
        checks.refuse(argument, f"of at most {_MOST_EPOCHS} epochs", values)
    return listed


def _by_column(rows):
    epochs = [row.get("epoch", index) for index, row in enumerate(rows)]
    names = dict.fromkeys(name for row in rows for name in row if name != "epoch")
    return epochs, {name: [row.get(name) for row in rows] for name in names}


def _rows_of_file(argument, path):
    """Returns the rows of a file as dictionaries; refuses one that is damaged, and says where."""
    text = _text_of_file(argument, path)
    first = text.partition("\n")[0]
    found = _EPOCH_FIRST.match(first)
    separator = found[2] if found else max(",;\t|", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        _refuse_file(argument, path, f"a file of separated values, but {error}", first)
    header, rows = [name.strip() for name in rows[0]] if rows else [], [r for r in rows[1:] if r]
    if len(set(header)) < len(header):
        _refuse_file(argument, path, "a file with a different name for each column", first)
    if any(isinstance(_parsed(name), (int, float)) for name in header):
        _refuse_file(argument, path, "a file whose first line has the names of the columns", first)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            required = f"a file with {len(header)} values in each row, as many as names"
            _refuse_file(argument, path, required, f"{len(row)} in row {number}")
    return [dict(zip(header, map(_parsed, row))) for row in rows]


def _text_of_file(argument, path):
    with open(path, "rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        _refuse_file(argument, path, f"a file of at most {_LARGEST_FILE} bytes", "more")
    try:
        # Spreadsheets write a mark at the beginning.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse_file(argument, path, "a file of text in UTF-8", str(error))
    if "\0" in text:
        _refuse_file(argument, path, "a file of text", "zero bytes in it")
    if text and not text.endswith(("\n", "\r")):
        # A number in it may have lost its last digits.
        required = (
            "a file whose last line ends with a line break, or it may have been cut off there"
        )
        _refuse_file(argument, path, required, text[-80:].splitlines()[-1])
    return text


def _refuse_file(argument, path, required, received):
    where = f"{checks.shown(received)} in {os.fspath(path)!r}"
    raise ValueError(f"`{argument}` must be {required}. Received: {where}")


def _parsed(text):
    """Returns the number that a CSVLogger wrote, None for nothing, or any other text as it is."""
    if text in ("", "NA"):
        return None
    try:
        # Python reads 1_000 as a number, which nobody else writes.
        return text if "_" in text else int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text
