"""State files: what one callback remembers after each epoch, in a file that only grows at its end.

A line is an entry, sealed with a checksum over itself and the line before. It says after how many
epochs and updates it was taken, and is used only with weights of that very moment: the file can
neither run ahead of a checkpoint nor stay behind it unnoticed. The first line is the head, with
what all entries share. A last line that was cut off, by a kill while it was written, is left out.
"""

import json
import os
import warnings

from keras_lr import checks
from keras_lr.driving import entries as kinds
from keras_lr.driving.messages import tell
from keras_lr.files import hold, release, seal_of, sealed, unsealed, write_atomically

_KEY, _FORMAT, _WITHOUT_CHECKSUM = "keras_lr_state", 2, 1
_FRESH = "or delete the file to begin with a fresh state"


class StateFile:
    """The file of one callback, from one fit to the next."""

    def __init__(self, path):
        self.path = path
        self._owner, self._found, self._has_written = None, None, False
        self._forget()

    def _forget(self):
        """Forgets where the file ends, so that the next entry writes it anew."""
        self._schedules, self._last_epoch, self._seal = None, None, None

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
        return os.path.realpath(self.path) == os.path.realpath(other.path)

    def open(self, owner):
        """Reads what there is, so that a damaged file stops a run before it begins."""
        os.makedirs(os.path.dirname(os.path.realpath(self.path)), exist_ok=True)
        what = f"The state file {self.path} of {owner}"
        hold(self._lock, what, "give this one another `state_path`")
        self._owner = owner
        self._forget()
        try:
            self._found = read_entries(self.path, owner)
        except ValueError:
            self.close()
            raise

    def close(self):
        """Lets other processes have the file."""
        release(self._lock)

    @property
    def _lock(self):
        folder, name = os.path.split(os.path.realpath(self.path))
        return os.path.join(folder, f".{name}.lock")

    def find(self, epoch, counts, batches):
        """Returns the entry of a moment, by epochs and batches done; None for a new run.

        `batches` is the number per epoch, if known; `epoch` is None where only the batches tell.
        Raises ValueError where there is no such entry.
        """
        has_begun = any(counts) and not (epoch == 0 and self._has_written)
        is_new_run = not epoch and not has_begun
        if self._found is not None and not is_new_run:
            place = f"The state file {self.path} of {self._owner}"
            return entry_at(self._found, epoch, counts, batches, place)
        if self._found:
            tell(f"{self._owner}: training begins, and {self.path} of an earlier run anew.")
        elif epoch:
            warnings.warn(
                f"{self._owner} finds no state file {self.path}: training goes on at epoch "
                f"{epoch} with a fresh state.",
                stacklevel=2,
            )
        self._found = []
        return None

    def write(self, entry):
        """Adds an entry at the end, whatever the number of those before it."""
        goes_on = self._seal is not None and self._last_epoch < entry["epoch"]
        if goes_on and self._schedules == entry["schedules"] and os.path.exists(self.path):
            line = sealed(_row(entry), self._seal)
            _append(self.path, f"{line}\n")
        else:
            line = self._write_anew(entry)
        self._schedules, self._last_epoch = entry["schedules"], entry["epoch"]
        self._seal, self._has_written = seal_of(line), True

    def _write_anew(self, entry):
        """Replaces the file in one piece: what there was, but for a time that was left."""
        if self._seal is not None and os.path.exists(self.path):
            self._found = read_entries(self.path, self._owner)
        # What lies beyond belongs to a time that was left when the run was set back.
        kept = [e for e in self._found or () if e["epoch"] < entry["epoch"]]
        head = {_KEY: _FORMAT, "callback": self._owner, "schedules": entry["schedules"]}
        lines = [sealed(head)]
        for one in [*kept, entry]:
            lines.append(sealed(_row(one), seal_of(lines[-1])))
        write_atomically(self.path, "".join(f"{line}\n" for line in lines))
        # From here on they are in the file alone.
        self._found = []
        return lines[-1]


def _row(entry):
    # The optimizers' own schedules are those of the whole run, and may be long tables.
    return {name: value for name, value in entry.items() if name not in ("schedules", "callback")}


def _append(path, text):
    with open(path, "ab") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def read_entries(path, owner):
    """Returns the entries of a state file, oldest first; None if there is no file yet.

    Raises ValueError for a file that is damaged, of another callback, or of another format.
    """
    try:
        with open(path, encoding="utf-8") as file:
            head, entries = _parsed(file.read())
        version, found = head[_KEY], head["callback"]
        for entry in entries:
            entry.update(callback=found, schedules=head["schedules"])
            kinds.check(entry)
        checks.increasing("epoch", [entry["epoch"] for entry in entries])
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(
            f"The state file {path} of {owner} is damaged, or no state file: put back a copy of "
            f"it, {_FRESH}. ({type(error).__name__}: {error})"
        ) from error
    if version not in (_WITHOUT_CHECKSUM, _FORMAT):
        raise ValueError(
            f"The state file {path} has format {version}, and this keras_lr reads "
            f"{_WITHOUT_CHECKSUM} and {_FORMAT}: install the keras_lr that wrote it, {_FRESH}."
        )
    if found != owner:
        raise ValueError(
            f"The state file {path} belongs to {found}: give each callback a `state_path` of its "
            f"own, {_FRESH}. Received: state_path={os.fspath(path)!r} for {owner}"
        )
    return entries


def _parsed(text):
    """Returns head and entries of a file, of which a last line may be cut off."""
    first, *rest = text.split("\n")
    try:
        head = unsealed(first)
    except ValueError:
        head = json.loads(text)
        if head[_KEY] == _FORMAT:
            raise
        # Version 0.1.0 has written all entries into one piece of JSON, without a checksum.
        return head, head["entries"] if head[_KEY] == _WITHOUT_CHECKSUM else []
    entries, before = [], seal_of(first)
    # Of a file that is whole, the last line is empty.
    for line in rest[:-1] if head[_KEY] == _FORMAT else ():
        entries.append(unsealed(line, before))
        before = seal_of(line)
    return head, entries


def entry_at(entries, epoch, iterations, batches, place):
    """Returns the entry of this very moment; raises where there is none, and says which there are.

    `batches` per epoch, if known: weights saved within an epoch go with the state from before it,
    as that epoch is trained again. `place` names the file and its callback in the message.
    """
    for entry in reversed(entries):
        if epoch in (None, entry["epoch"]) and len(entry["iterations"]) == len(iterations):
            ahead = [now - then for now, then in zip(iterations, entry["iterations"])]
            # TensorFlow counts the end of a stream of unknown length as an update, for a while.
            if all(0 <= n < batches if batches else abs(n) <= 1 for n in ahead):
                return entry
    last = [f"epoch {e['epoch']} (batch {e['iterations'][0]})" for e in entries[-5:]]
    done = "" if epoch is None else f"{epoch} epochs and "
    raise ValueError(
        f"{place} has no entry for the weights that training goes on from: {done}"
        f"{iterations[0]} batches done. Its last ones: {', '.join(last) or 'none'}. Restore the "
        "weights of one of these and call fit(initial_epoch=…) with its epoch; list callbacks "
        f"with a `state_path` before those that save weights; {_FRESH}."
    )
