"""What the callbacks of a fit remember: kept with each epoch, put back when a run goes on.

A state belongs to a moment: epochs and batches done, and the rates in the optimizers. A run that
goes on finds weights of that moment, restored by whatever saved them, and with them a rate that has
the reductions of then in it, or not yet. The base is put back under the restored factors, so that
what is applied is what was.
"""

import json
import math
import os
import warnings

import keras

from keras_lr import checks
from keras_lr.driving.driven_optimizer import as_written, combined, read
from keras_lr.driving.messages import tell
from keras_lr.driving.state_file import entry_at, read_entries, write_entries
from keras_lr.keras_private.optimizers import leaves
from keras_lr.schedules import registry
from keras_lr.schedules.coerce import as_schedule


class Remembering:
    """A callback that has a state which outlives the process, or none."""

    state = None
    state_path = None
    has_written = False
    given = None

    @property
    def owner(self):
        """The callback as messages and files call it."""
        monitor = getattr(self, "monitor", None)
        return f"{type(self).__name__}({'' if monitor is None else f'monitor={monitor!r}'})"

    def get_state(self):
        """Returns what this callback remembers, as JSON takes it; {} for a function of the update.

        During a fit and after it, with the moment and the rates that it belongs to.
        """
        if not self.follows_metrics:
            return {}
        driver = vars(self).get("driver")
        moment = {} if driver is None else driver.memory.moment
        return json.loads(json.dumps(_entry(self, moment)))

    def set_state(self, state):
        """Takes what `get_state` returned, for the next fit to go on from.

        The rate of the optimizer may be what it was then or what it had been built with: it is
        put back to what the state says, unless it is neither.
        """
        if not self.follows_metrics:
            if state != {}:
                checks.refuse("state", f"{{}}, for {self.owner} remembers nothing", state)
            return
        if not isinstance(state, dict) or state.get("callback") != self.owner:
            checks.refuse("state", f"what `get_state` of another {self.owner} returned", state)
        self.restore(state)
        self.given = state

    def get_arrays(self):
        """Returns what else has to be kept, arrays that are no JSON; only a backup keeps them."""
        return []

    def restore(self, entry):
        """Takes the state of an entry; raises ValueError if it is not one of this callback."""
        found, fields = entry.get("state"), self.start()._fields
        if not isinstance(found, dict) or set(found) != set(fields):
            required = f"a state of {self.owner}, with the fields {', '.join(fields)}"
            checks.refuse("state", required, found)
        values = {name: _checked(name, value) for name, value in found.items()}
        checks.RATE("state['factor']", values["factor"])
        self.state = type(self.start())(**values)


def file_path(name, value):
    """The kind of an argument: None, or the path of a file."""
    if value is None:
        return None
    try:
        path = os.fspath(value)
    except TypeError:
        path = ""
    if not path or os.path.isdir(path):
        checks.refuse(name, "None, or the path of a file for this callback alone", value)
    return path


class Memory:
    """The memory of one fit."""

    def __init__(self, callbacks):
        self.moment, self.latest = {}, []
        self.backup, self.backup_moment, self.given = None, {}, {}
        self._callbacks, self._files = callbacks, {}

    @property
    def _remembering(self):
        return [callback for callback in self._callbacks if callback.follows_metrics]

    def open(self, callback):
        """Reads the state file of a callback that joins, so that a damaged one stops the run."""
        path = callback.state_path
        if path is None:
            return
        if any(os.path.abspath(path) == os.path.abspath(c.state_path) for c in self._files):
            raise ValueError(
                f"`state_path` must be another for each callback. Received: {path!r} for two"
            )
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        self._files[callback] = read_entries(path, callback.owner)

    # Back

    def recall(self, optimizer, epoch, batches):
        """Gives each callback its state of this moment, and the optimizers their base.

        `batches` is the number per epoch, if known. Returns the callbacks that had a state, and
        the clocks of this moment's schedules by optimizer, None where nobody knows.
        """
        counts = [int(read(leaf._iterations)) for leaf in leaves(optimizer)]
        found = {c: self._found(c, epoch, counts, batches) for c in self._remembering}
        found = {callback: entry for callback, entry in found.items() if entry is not None}
        for callback, entry in found.items():
            callback.restore(entry)
        self._tell_of_leftovers()
        factor = math.prod(callback.state.factor for callback in found)
        for entry in list(found.values())[-1:]:
            # A state that was taken before any fit, or by hand, says nothing of rates.
            if entry.get("rates"):
                _put_back(optimizer, entry, factor)
        moments = [self.backup_moment, *found.values()]
        clocks = [m["clocks"] for m in moments if "clocks" in m and m["epoch"] == epoch > 0]
        return list(found), clocks[0] if clocks else None

    def _found(self, callback, epoch, counts, batches):
        given, callback.given = callback.given, None
        if given is not None:
            self.given[callback] = given
            return given
        if self.backup is not None:
            return self._from_backup(callback)
        if callback.state_path is not None:
            return self._from_file(callback, epoch, counts, batches)
        return None

    def _from_backup(self, callback):
        for i, entry in enumerate(self.backup):
            if entry["callback"] == callback.owner:
                return self.backup.pop(i)
        tell(f"{callback.owner} is not in the backup: it begins with a fresh state.")
        return None

    def _tell_of_leftovers(self):
        for entry in self.backup or ():
            tell(f"The backup knows {entry['callback']}, now missing: its last factor stays.")

    def _from_file(self, callback, epoch, counts, batches):
        path, entries = callback.state_path, self._files[callback]
        is_new_run = epoch == 0 and (callback.has_written or not any(counts))
        if entries is None or is_new_run:
            if entries:
                tell(f"{callback.owner}: training begins, and {path} of an earlier run anew.")
            elif epoch > 0:
                warnings.warn(
                    f"{callback.owner} finds no state file {path}: training goes on at epoch "
                    f"{epoch} with a fresh state.",
                    stacklevel=2,
                )
            self._files[callback] = []
            return None
        place = f"The state file {path} of {callback.owner}"
        return entry_at(entries, epoch, counts, batches, place)

    # Kept

    def arrays(self):
        """Returns, by their place in `latest`, what callbacks remember in arrays."""
        found = [callback.get_arrays() for callback in self._remembering]
        return {f"{i}.{j}": a for i, arrays in enumerate(found) for j, a in enumerate(arrays)}

    def begin(self, rates, epoch, restored):
        """Keeps the states that a fit begins with."""
        self._take(rates, epoch)
        for callback, entry in zip(self._remembering, self.latest):
            if callback.state_path is not None and callback not in restored:
                self._write(callback, entry)

    def keep(self, callback, rates, epoch):
        """Keeps all states of the moment after `epoch` epochs, when the last one is decided."""
        if callback is not self._remembering[-1]:
            return
        self._take(rates, epoch)
        for callback, entry in zip(self._remembering, self.latest):
            if callback.state_path is not None:
                self._write(callback, entry)

    def _take(self, rates, epoch):
        if not self.moment:
            self._schedules = [_serialized(rate.own) for rate in rates]
        self.moment = {
            "epoch": epoch,
            "iterations": [int(read(rate.optimizer._iterations)) for rate in rates],
            "schedules": self._schedules,
            "rates": [rate.standing() for rate in rates],
            "clocks": [rate.clock() for rate in rates],
        }
        self.latest = [_entry(callback, self.moment) for callback in self._remembering]

    def _write(self, callback, entry):
        # What lies beyond is of a time that was left when the run was set back to this moment.
        entries = [e for e in self._files[callback] if e["epoch"] < entry["epoch"]] + [entry]
        self._files[callback] = entries
        write_entries(callback.state_path, callback.owner, entries)
        callback.has_written = True


def _entry(callback, moment):
    return {"callback": callback.owner, "state": callback.state._asdict(), **moment}


def _checked(name, value):
    if isinstance(value, list):
        return tuple(_checked(name, item) for item in value)
    if value is not None and not isinstance(value, (bool, int, float, str)):
        checks.refuse(f"state[{name!r}]", "a number, a text, a list of these or None", value)
    return value


def _serialized(own):
    """Returns the config of a schedule; None for a number, and for what has no config."""
    if isinstance(own, keras.Variable):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return json.loads(json.dumps(registry.serialize(as_schedule("learning_rate", own))))
    except (NotImplementedError, TypeError, ValueError):
        return None


def _put_back(optimizer, entry, factor):
    """Puts the base of a moment into the optimizers, for `factor` to be dialled again."""
    found = leaves(optimizer)
    if len(found) != len(entry["rates"]):
        raise ValueError(
            f"The state of {entry['callback']} must be of a model with {len(found)} optimizers, "
            f"as this one. Received: {len(entry['rates'])}"
        )
    for leaf, config, then in zip(found, entry["schedules"], entry["rates"]):
        # Of the factors of then, those that nobody remembers stay in the base.
        rest = then["scale"] / factor if then["scale"] and factor else 1.0
        own, dialled = leaf._learning_rate, then["dialled"][::-1]
        if isinstance(own, keras.Variable):
            _put_back_number(leaf, then["base"], dialled, rest, factor)
        else:
            _put_back_schedule(leaf, config, dialled, rest)


def _put_back_number(leaf, base, dialled, rest, factor):
    found = as_written(leaf._learning_rate)
    known = [] if base is None else [base, *(base * scale + level for scale, level in dialled)]
    if any(math.isclose(found, rate, rel_tol=1e-5) for rate in known):
        leaf.learning_rate = base * rest
        return
    # An absolute rate is dialled again whatever the optimizer has.
    if dialled[0][0] and factor:
        tell(f"{leaf.name} has a rate of its own, {found:.4g}: training goes on with that.")
        leaf.learning_rate = found / factor


def _put_back_schedule(leaf, config, dialled, rest):
    own = as_schedule("learning_rate", leaf._learning_rate)
    base = _revived(config)
    if base is None:
        return
    if own != base and own not in [combined(base, scale, level) for scale, level in dialled]:
        tell(f"{leaf.name} has another schedule than the saved run: training goes on with {own}.")
    elif own != base or rest != 1.0:
        leaf.learning_rate = combined(base, rest, 0.0)


def _revived(config):
    try:
        return None if config is None else registry.deserialize(config)
    except (TypeError, ValueError):
        return None
