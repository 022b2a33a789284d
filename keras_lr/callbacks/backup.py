"""`TrainingBackup`: a run that was killed goes on from its last epoch, callbacks included."""

import json
import math
import os
import pathlib
import zlib

import numpy as np

from keras_lr import checks
from keras_lr.callbacks.base import RateCallback
from keras_lr.callbacks.generators import get_generators, set_generators
from keras_lr.callbacks.messages import tell, verbosity
from keras_lr.files import write_atomically

_POINTER = "backup.json"
_KEY, _FORMAT = "keras_lr_backup", 1
_FRESH = "or delete the folder to train from the beginning"


class TrainingBackup(RateCallback):
    """Backs up a run every few epochs; the same script, started again, goes on from there.

    Weights, optimizer, epoch, the states of our callbacks and of the random generators (dropout's,
    NumPy's, Python's, PyTorch's) belong to one moment and are replaced in one piece: a run killed
    at any time, also during the backup, finds a whole one. (Keras' `BackupAndRestore` writes two
    files in place, and knows no callback's state.) The place in the list of callbacks does not
    matter: the backup of an epoch is made when the next one begins, after all have had their say.

    `directory` is made if need be and belongs to this run alone. `every` counts epochs between
    backups. When training has ended the backup is deleted, unless `keep=True` or the last loss was
    not finite. A damaged backup, or one of another model, raises ValueError in `on_train_begin`,
    which says what to do; `verbose=0` keeps silent of a whole one. Not backed up: the history of
    earlier epochs, and the order in which a `tf.data.Dataset` shuffles.

    >>> import keras, numpy as np, tempfile
    >>> from keras_lr.callbacks import TrainingBackup
    >>> directory = tempfile.mkdtemp()
    >>> def train(epochs):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(0.1), "mse")
    ...     backup = TrainingBackup(directory, keep=True, verbose=0)
    ...     x, y = np.ones((8, 2)), np.ones((8, 1))
    ...     model.fit(x, y, batch_size=4, epochs=epochs, callbacks=[backup], verbose=0)
    ...     return int(model.optimizer.iterations)
    >>> train(3)
    6
    >>> train(5)  # another model: its first three epochs are those of the first
    10
    """

    def __init__(self, directory, *, every=1, keep=False, verbose=1):
        super().__init__()
        try:
            self.directory = pathlib.Path(directory)
        except TypeError:
            checks.refuse("directory", "the path of a folder", directory)
        if self.directory.exists() and not self.directory.is_dir():
            checks.refuse("directory", "the path of a folder", directory)
        self.every = checks.Number(minimum=1, integer=True)("every", every)
        self.keep = checks.flag("keep", keep)
        self.verbose = verbosity("verbose", verbose)

    # Hooks

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._first, self._done, self._is_finite = None, None, True
        self.directory.mkdir(parents=True, exist_ok=True)
        if (self.directory / _POINTER).exists():
            self._restore()

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        if self._first is None:
            self._first = epoch
        elif (epoch - self._first) % self.every == 0:
            self._save(epoch)

    def on_epoch_end(self, epoch, logs=None):
        self._done = epoch + 1
        self._is_finite = math.isfinite(float((logs or {}).get("loss", 0.0)))

    def on_train_end(self, logs=None):
        if self._done is not None and self.keep:
            self._save(self._done)
        elif not self.keep and self._is_finite:
            (self.directory / _POINTER).unlink(missing_ok=True)
            self._delete_others()
            if not any(self.directory.iterdir()):
                self.directory.rmdir()
        super().on_train_end(logs)

    # Files: the weights of an epoch under a name of their own, and a pointer to the valid ones

    def _save(self, epoch):
        weights = self.directory / f"epoch-{epoch}.weights.h5"
        arrays = self.directory / f"epoch-{epoch}.callbacks.npz"
        self.model.save_weights(weights, overwrite=True)
        np.savez(arrays, **self.driver.memory.arrays())
        content = {
            _KEY: _FORMAT,
            "epoch": epoch,
            "files": {path.name: _written(path) for path in (weights, arrays)},
            "callbacks": self.driver.memory.latest,
            "generators": get_generators(self.model),
        }
        write_atomically(self.directory / _POINTER, json.dumps(content))
        self._delete_others(keep=content["files"])

    def _delete_others(self, keep=()):
        for pattern in ("epoch-*.weights.h5", "epoch-*.callbacks.npz"):
            for path in self.directory.glob(pattern):
                if path.name not in keep:
                    path.unlink()

    def _restore(self):
        content, (weights, arrays) = self._read()
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        try:
            self.model.load_weights(weights)
            set_generators(self.model, content["generators"])
        except (LookupError, OSError, TypeError, ValueError) as error:
            raise ValueError(
                f"The backup in {self.directory} does not fit this model or its optimizer: run the "
                f"script that made it, {_FRESH}. ({type(error).__name__}: {error})"
            ) from error
        # As Keras' own backup tells `fit` where to begin.
        self.model._initial_epoch = content["epoch"]
        self.driver.memory.backup = _with_arrays(content["callbacks"], arrays)
        if self.verbose:
            epochs = content["epoch"]
            tell(f"TrainingBackup: going on after {epochs} epochs, from {self.directory}.")

    def _read(self):
        try:
            content = json.loads((self.directory / _POINTER).read_text(encoding="utf-8"))
            version, checksums = content[_KEY], content["files"]
            content["epoch"] + 1, content["callbacks"], content["generators"]
            weights, arrays = (self.directory / name for name in checksums)
            changed = [path.name for path in (weights, arrays) if _differs(path, checksums)]
        except (AttributeError, ValueError, LookupError, TypeError, OSError) as error:
            raise ValueError(
                f"The backup in {self.directory} is damaged: put back a copy of it, {_FRESH}. "
                f"({type(error).__name__}: {error})"
            ) from error
        if version != _FORMAT or changed:
            found = f"{changed[0]} has changed" if changed else f"format {version}"
            raise ValueError(
                f"The backup in {self.directory} cannot be read ({found}): put back a copy of it, "
                f"or install the keras_lr that wrote it, {_FRESH}."
            )
        return content, (weights, arrays)


def _with_arrays(entries, path):
    """Returns the entries of callbacks with what each remembers in arrays."""
    with np.load(path) as file:
        for i, entry in enumerate(entries):
            count = sum(name.startswith(f"{i}.") for name in file.files)
            entry["arrays"] = [file[f"{i}.{j}"] for j in range(count)]
    return entries


def _differs(path, checksums):
    return _checksum(path) != checksums[path.name]


def _written(path):
    """Has the system write a file out before anything says that it is there; its checksum."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return _checksum(path)


def _checksum(path):
    checksum = 0
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            checksum = zlib.crc32(chunk, checksum)
    return checksum
