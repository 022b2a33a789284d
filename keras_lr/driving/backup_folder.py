"""The folder of a backup: weights of one epoch under a name of their own, and a pointer to them.

The pointer is replaced in one piece when all else is on the disk. It is sealed with a checksum over
itself, and has those of the other files.
"""

import contextlib
import json
import os
import zlib

import numpy as np

from keras_lr import checks
from keras_lr.driving import entries as kinds
from keras_lr.files import hold, release, sealed, unsealed, write_atomically, write_out

_POINTER, _PREFIX, _LOCK = "keras_lr-backup.json", "keras_lr-backup-", ".keras_lr-backup.lock"
_KEY, _FORMAT, _WITHOUT_CHECKSUM = "keras_lr_backup", 2, 1
FRESH = "or delete the folder to train from the beginning"


class BackupFolder:
    """A folder that one run uses; `is_ours` tells that there was nothing of others in it."""

    def __init__(self, path):
        self.path = path
        self.is_ours = False

    def open(self):
        """Makes the folder and keeps other processes off; returns whether there is a backup."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.is_ours = not {path.name for path in self.path.iterdir()} - {_LOCK}
        hold(self.path / _LOCK, f"The backup in {self.path}", "give this run another folder")
        return (self.path / _POINTER).exists()

    def close(self):
        """Lets other processes have the folder."""
        release(self.path / _LOCK)

    def write(self, epoch, content, save_weights, arrays):
        """Replaces the backup by that of `epoch`; `save_weights` writes to the path it is given."""
        weights = self.path / f"{_PREFIX}{epoch}.weights.h5"
        others = self.path / f"{_PREFIX}{epoch}.callbacks.npz"
        save_weights(weights)
        np.savez(others, **arrays)
        files = {}
        for path in (weights, others):
            write_out(path)
            files[path.name] = _checksum(path)
        # Names, too, have to be on the disk before anything says that they are there.
        write_out(self.path)
        head = {_KEY: _FORMAT, "epoch": epoch, "is_our_folder": self.is_ours, "files": files}
        write_atomically(self.path / _POINTER, sealed({**head, **content}))
        self._delete_others(keep=files)

    def read(self):
        """Returns the content of the pointer, the path of the weights, and all arrays by name.

        The entries of callbacks have with them what they remember in arrays.
        """
        try:
            text = (self.path / _POINTER).read_text(encoding="utf-8")
            content = _parsed(text)
            version = content[_KEY]
            if version in (_WITHOUT_CHECKSUM, _FORMAT):
                weights, arrays = self._checked(content)
                self.is_ours = content["is_our_folder"]
                with np.load(arrays) as file:
                    found = dict(file)
                _add_arrays(content["callbacks"], found)
                return content, weights, found
        except (LookupError, OSError, RecursionError, TypeError, ValueError) as error:
            raise ValueError(
                f"The backup in {self.path} is damaged: put back a copy of it, {FRESH}. "
                f"({type(error).__name__}: {error})"
            ) from error
        raise ValueError(
            f"The backup in {self.path} has format {version}, and this keras_lr reads "
            f"{_WITHOUT_CHECKSUM} and {_FORMAT}: install the keras_lr that wrote it, {FRESH}."
        )

    def _checked(self, content):
        """Returns the paths of weights and arrays; raises unless every field is as written."""
        kinds.count("epoch", content["epoch"])
        if content["epochs"] is not None:
            kinds.count("epochs", content["epochs"])
        checks.flag("is_our_folder", content["is_our_folder"])
        clocks = kinds.clocks("clocks", content["clocks"])
        for entry in kinds.of_type("callbacks", content["callbacks"], list):
            kinds.check(entry)
            if len(entry["iterations"]) != len(clocks):
                checks.refuse("clocks", "as long as `iterations`", clocks)
        kinds.of_type("generators", content["generators"], dict)
        expected = [f"{_PREFIX}{content['epoch']}.{end}" for end in ("weights.h5", "callbacks.npz")]
        if list(kinds.of_type("files", content["files"], dict)) != expected:
            checks.refuse("files", f"{expected}", list(content["files"]))
        for name, checksum in content["files"].items():
            if _checksum(self.path / name) != checksum:
                raise ValueError(f"{name} has changed")
        return [self.path / name for name in expected]

    def delete(self):
        """Deletes the backup and, if nothing of others was in it, the folder."""
        (self.path / _POINTER).unlink(missing_ok=True)
        self._delete_others()
        self.close()
        is_in_use = self.path.is_symlink() or self.path.samefile(os.getcwd())
        if self.is_ours and not is_in_use:
            # It stays where somebody has put something in, or another disk is mounted there.
            with contextlib.suppress(OSError):
                self.path.rmdir()

    def _delete_others(self, keep=()):
        for path in self.path.glob(f"{_PREFIX}*"):
            if path.name not in keep:
                path.unlink()


def _parsed(text):
    content = json.loads(text)
    # Version 0.1.0 has written no checksum.
    is_old = content[_KEY] == _WITHOUT_CHECKSUM
    return content if is_old and "checksum" not in content else unsealed(text)


def _add_arrays(entries, arrays):
    for i, entry in enumerate(entries):
        count = sum(name.startswith(f"{i}.") for name in arrays)
        entry["arrays"] = [arrays[f"{i}.{j}"] for j in range(count)]


def _checksum(path):
    checksum = 0
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            checksum = zlib.crc32(chunk, checksum)
    return checksum
