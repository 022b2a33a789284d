"""State files: what one callback remembers after each epoch, in a file that is always whole.

An entry says after how many epochs and updates it was taken, and is used only with weights of that
very moment: the file can neither run ahead of a checkpoint nor stay behind it unnoticed.
"""

import json
import os
import warnings

from keras_lr import checks
from keras_lr.driving.messages import tell
from keras_lr.files import write_atomically

_KEY, _FORMAT = "keras_lr_state", 1
_FRESH = "or delete the file to begin with a fresh state"


class StateFile:
    """The file of one callback, from one fit to the next."""

    def __init__(self, path):
        self.path = path
        self._owner, self._entries, self._has_written = None, None, False

    @classmethod
    def at(cls, name, path):
        """Returns the file of an argument; None for None."""
        if path is None:
            return None
        required = "None, or the path of a file for this callback alone"
        found = checks.path(name, path, required)
        if os.path.isdir(found):
            checks.refuse(name, required, path)
        return cls(found)

    def is_same_as(self, other):
        """Tells whether two paths name one file."""
        return os.path.abspath(self.path) == os.path.abspath(other.path)

    def open(self, owner):
        """Reads what there is, so that a damaged file stops a run before it begins."""
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        self._owner, self._entries = owner, read_entries(self.path, owner)

    def find(self, epoch, counts, batches):
        """Returns the entry of a moment, by epochs and batches done; None for a new run.

        `batches` is the number per epoch, if known. Raises ValueError where there is no such entry.
        """
        is_new_run = epoch == 0 and (self._has_written or not any(counts))
        if self._entries is not None and not is_new_run:
            place = f"The state file {self.path} of {self._owner}"
            return entry_at(self._entries, epoch, counts, batches, place)
        if self._entries:
            tell(f"{self._owner}: training begins, and {self.path} of an earlier run anew.")
        elif epoch > 0:
            warnings.warn(
                f"{self._owner} finds no state file {self.path}: training goes on at epoch "
                f"{epoch} with a fresh state.",
                stacklevel=2,
            )
        self._entries = []
        return None

    def write(self, entry):
        """Adds an entry, and replaces the file in one piece."""
        # What lies beyond belongs to a time that was left when the run was set back.
        self._entries = [e for e in self._entries or () if e["epoch"] < entry["epoch"]] + [entry]
        write_entries(self.path, self._owner, self._entries)
        self._has_written = True


def read_entries(path, owner):
    """Returns the entries of a state file, oldest first; None if there is no file yet.

    Raises ValueError for a file that is damaged, of another callback, or of another format.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        version, found, entries = content[_KEY], content["callback"], content["entries"]
        for entry in entries:
            entry["schedules"] = content["schedules"]
            entry["epoch"] + sum(entry["iterations"]), entry["state"], entry["rates"]
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"The state file {path} of {owner} is damaged, or no state file: put back a copy of "
            f"it, {_FRESH}. ({type(error).__name__}: {error})"
        ) from error
    if version != _FORMAT:
        raise ValueError(
            f"The state file {path} has format {version}, and this keras_lr reads {_FORMAT}: "
            f"install the keras_lr that wrote it, {_FRESH}."
        )
    if found != owner:
        raise ValueError(
            f"The state file {path} belongs to {found}: give each callback a `state_path` of its "
            f"own, {_FRESH}. Received: state_path={os.fspath(path)!r} for {owner}"
        )
    return entries


def write_entries(path, owner, entries):
    """Replaces a state file in one piece."""
    # The optimizers' own schedules are those of the whole run, and may be long tables.
    schedules = entries[-1]["schedules"]
    rows = [{k: v for k, v in entry.items() if k != "schedules"} for entry in entries]
    lines = ",\n".join(json.dumps(row) for row in rows)
    head = json.dumps({_KEY: _FORMAT, "callback": owner, "schedules": schedules})
    write_atomically(path, f'{head[:-1]}, "entries": [\n{lines}\n]}}\n')


def entry_at(entries, epoch, iterations, batches, place):
    """Returns the entry of this very moment; raises where there is none, and says which there are.

    `batches` per epoch, if known: weights saved within an epoch go with the state from before it,
    as that epoch is trained again. `place` names the file and its callback in the message.
    """
    for entry in reversed(entries):
        if entry["epoch"] == epoch and len(entry["iterations"]) == len(iterations):
            ahead = [now - then for now, then in zip(iterations, entry["iterations"])]
            # TensorFlow counts the end of a stream of unknown length as an update, for a while.
            if all(0 <= n < batches if batches else abs(n) <= 1 for n in ahead):
                return entry
    last = [f"epoch {e['epoch']} (batch {e['iterations'][0]})" for e in entries[-5:]]
    raise ValueError(
        f"{place} has no entry for the weights that training goes on from: {epoch} epochs and "
        f"{iterations[0]} batches done. Its last ones: {', '.join(last) or 'none'}. Restore the "
        "weights of one of these and call fit(initial_epoch=…) with its epoch; list callbacks "
        f"with a `state_path` before those that save weights; {_FRESH}."
    )
