"""`TrainingBackup`: a run that was killed goes on from its last epoch, callbacks included."""

import json
import math
import os
import pathlib
import zlib

import keras
import numpy as np

from keras_lr import checks
from keras_lr.callbacks.base import RateCallback
from keras_lr.driving.messages import tell, verbosity
from keras_lr.files import write_atomically
from keras_lr.keras_private.building import build_before_training
from keras_lr.keras_private.copies import extra_arrays, restore_extra
from keras_lr.keras_private.fit_call import listed, set_first_epoch
from keras_lr.keras_private.random_state import get_generators, set_generators
from keras_lr.keras_private.step_state import refuse_unbuilt_optimizers
from keras_lr.schedules.durations import Run

_POINTER, _PREFIX = "keras_lr-backup.json", "keras_lr-backup-"
_EXTRA = "model."
_KEY, _FORMAT = "keras_lr_backup", 1
_FRESH = "or delete the folder to train from the beginning"


class TrainingBackup(RateCallback):
    """Backs up a run every few epochs; the same script, started again, goes on from there.

    Weights, buffers, all optimizers, epoch, the states of our callbacks and of the random
    generators (dropout's, NumPy's, Python's, PyTorch's) belong to one moment and are replaced as
    one: a run killed at any time, also during the backup, finds a whole one. (Keras'
    `BackupAndRestore` writes two files in place, and knows no callback's state.) An optimizer that
    a `train_step` may use must be built before. The place in the list of callbacks does not
    matter, but that `SwapEMAWeights` comes before it: the backup of an epoch is made when the next
    one begins, after all have had their say.

    `directory` is made if need be and belongs to this run alone. `every` counts epochs between
    backups. When training has ended the backup is deleted, unless `keep=True` or the last loss was
    not finite. A damaged backup, or one of another model, raises ValueError in `on_train_begin`,
    which says what to do; `verbose=0` keeps silent of a whole one. Epochs that end in a loss that
    is not finite are not backed up. Nor are the history of earlier epochs, what Keras' callbacks
    remember (`EarlyStopping`, `ModelCheckpoint`), and the order in which a `tf.data.Dataset`
    shuffles. With `use_ema` Keras puts the averages into the model when a fit ends: a run that goes
    on from `keep=True` begins with these.

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
        self._refuse_swaps()
        refuse_unbuilt_optimizers(self.model)
        self._first, self._done, self._is_finite = None, None, True
        self._epochs_then = None
        self.directory.mkdir(parents=True, exist_ok=True)
        self._is_ours = not any(self.directory.iterdir())
        if (self.directory / _POINTER).exists():
            self._restore()

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        if self._first is None:
            self._first = epoch
            # `fit` has read it; Keras would begin every later fit of the model there.
            set_first_epoch(self.model, None)
            self._tell_of_another_length()
        elif (epoch - self._first) % self.every == 0 and self._is_finite:
            self._save(epoch)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self._done = epoch + 1
        self._is_finite = math.isfinite(float((logs or {}).get("loss", 0.0)))

    def on_train_end(self, logs=None):
        set_first_epoch(self.model, None)
        # A fit of no epochs, as after a change of `epochs`, is no reason to lose the backup.
        if self._done is not None and self._is_finite:
            if self.keep:
                self._save(self._done)
            else:
                self._delete()
        super().on_train_end(logs)

    def attach(self, model, **options):
        """Refused: a loop by hand has to go on by itself where it was stopped."""
        raise ValueError(
            "TrainingBackup must be given to `fit`. In a loop of your own save the model, and "
            "give callbacks a `state_path` and `attach(model, initial_epoch=…)`."
        )

    def _tell_of_another_length(self):
        """Tells if schedules are not what they were, because the run has other epochs now."""
        then, run = self._epochs_then, self.driver.run
        if then in (None, run.epochs) or not self.verbose:
            return
        before = Run(then, run.steps_per_epoch)
        planned = [c for c in self.driver.callbacks if c.schedule is not None]
        others = [c.owner for c in planned if c.build(before) != c.schedule]
        if others:
            tell(
                f"TrainingBackup: the run had {then} epochs and has {run.epochs} now. From here on "
                f"{', '.join(others)} is what it would be in a run of {run.epochs} epochs."
            )

    def _refuse_swaps(self):
        together = listed(self.model)
        later = together[together.index(self) :] if self in together else []
        if any(isinstance(callback, keras.callbacks.SwapEMAWeights) for callback in later):
            raise ValueError(
                "SwapEMAWeights must be listed before TrainingBackup, which would else save the "
                "averages in the place of the weights. Received: SwapEMAWeights after it"
            )

    # Files: the weights of an epoch under a name of their own, and a pointer to the valid ones

    def _save(self, epoch):
        weights = self.directory / f"{_PREFIX}{epoch}.weights.h5"
        arrays = self.directory / f"{_PREFIX}{epoch}.callbacks.npz"
        self.model.save_weights(weights, overwrite=True)
        np.savez(arrays, **self.driver.saved.arrays(), **_named(extra_arrays(self.model)))
        content = {
            _KEY: _FORMAT,
            "epoch": epoch,
            "epochs": self.driver.run.epochs,
            "clocks": self.driver.clocks(),
            "is_our_folder": self._is_ours,
            "files": {path.name: _written(path) for path in (weights, arrays)},
            "callbacks": self.driver.saved.latest,
            "generators": get_generators(self.model),
        }
        write_atomically(self.directory / _POINTER, json.dumps(content))
        self._delete_others(keep=content["files"])

    def _delete_others(self, keep=()):
        for path in self.directory.glob(f"{_PREFIX}*"):
            if path.name not in keep:
                path.unlink()

    def _delete(self):
        (self.directory / _POINTER).unlink(missing_ok=True)
        self._delete_others()
        if self._is_ours and not any(self.directory.iterdir()):
            self.directory.rmdir()

    def _restore(self):
        content, (weights, arrays) = self._read()
        build_before_training(self.model)
        try:
            self.model.load_weights(weights)
            restore_extra(self.model, _extra(arrays))
            set_generators(self.model, content["generators"])
        except (LookupError, OSError, TypeError, ValueError) as error:
            raise ValueError(
                f"The backup in {self.directory} does not fit this model or its optimizer: run the "
                f"script that made it, {_FRESH}. ({type(error).__name__}: {error})"
            ) from error
        set_first_epoch(self.model, content["epoch"])
        self._is_ours, self._epochs_then = content["is_our_folder"], content["epochs"]
        entries = _with_arrays(content["callbacks"], arrays)
        self.driver.saved.offer_backup(content["epoch"], content["clocks"], entries)
        if self.verbose:
            epochs = content["epoch"]
            tell(f"TrainingBackup: going on after {epochs} epochs, from {self.directory}.")

    def _read(self):
        try:
            content = json.loads((self.directory / _POINTER).read_text(encoding="utf-8"))
            version, checksums = content[_KEY], content["files"]
            content["epoch"] + 1, content["callbacks"], content["generators"], content["clocks"]
            content["epochs"], content["is_our_folder"]
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


def _named(extra):
    return {_EXTRA + name: array for name, array in extra.items()}


def _extra(path):
    """Returns what Keras' file of weights does not have, by name."""
    with np.load(path) as file:
        return {n.removeprefix(_EXTRA): file[n] for n in file.files if n.startswith(_EXTRA)}


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
