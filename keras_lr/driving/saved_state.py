"""What the callbacks of a fit remember: kept with each epoch, put back when a run goes on.

A state belongs to a moment: epochs and batches done, and the rates in the optimizers. A run that
goes on finds weights of that moment, restored by whatever saved them. The rate that it finds with
them has that moment's reductions in it, or not yet. The base is put back under the restored
factors, so that what is applied is what was.
"""

import math

from keras_lr.driving.built_rates import config_of, revived
from keras_lr.driving.messages import tell
from keras_lr.keras_private.optimizers import (
    batches_counted,
    has_rate_variable,
    own_rate,
    rate_as_written,
)
from keras_lr.schedules.coerce import as_schedule
from keras_lr.schedules.scaled import combined, in_class_of


class SavedState:
    """The states of one fit's callbacks, and the moment that they belong to.

    `moment` and `latest`, an entry for each callback that remembers, are those of the last epoch
    that was decided, ready for JSON.
    """

    def __init__(self, callbacks):
        self.moment, self.latest = {}, []
        self._callbacks, self._given = callbacks, {}
        self._backup, self._backup_moment, self._place = None, {}, None

    @property
    def _remembering(self):
        return [callback for callback in self._callbacks if callback.follows_metrics]

    @property
    def last(self):
        """The callback whose decision completes an epoch: the last one that remembers."""
        return next(iter(self._remembering[::-1]), None)

    def open(self, callback):
        """Reads the state file of a callback that joins, so that a damaged one stops the run."""
        file = callback.state_file
        if file is None:
            return
        if any(file.is_same_as(c.state_file) for c in self._callbacks if c.state_file):
            raise ValueError(
                f"`state_path` must be another for each callback. Received: {file.path!r} for two"
            )
        file.open(callback.owner)

    # Back

    def close(self):
        """Lets other processes have the state files."""
        for callback in self._callbacks:
            if callback.state_file is not None:
                callback.state_file.close()

    def offer_backup(self, epoch, clocks, entries, place):
        """Takes what a backup has kept, for the callbacks to go on from after `epoch` epochs.

        `place` names the backup in messages.
        """
        self._backup, self._place = entries, place
        self._backup_moment = {"epoch": epoch, "clocks": clocks}

    def give_back(self):
        """Gives callbacks back the states that they had been given for this fit."""
        for callback, state in self._given.items():
            callback.set_state(state)

    def recall(self, optimizers, epoch, batches):
        """Gives each callback its state of this moment, and the optimizers their base.

        `batches` is the number per epoch, if known. Returns the callbacks that had a state, and
        the clocks of this moment's schedules by optimizer, None where nobody knows.
        """
        counts = [batches_counted(optimizer) for optimizer in optimizers]
        found = {c: self._found(c, epoch, counts, batches) for c in self._remembering}
        found = {callback: entry for callback, entry in found.items() if entry is not None}
        for callback, entry in found.items():
            self._restore(callback, entry)
        for entry in self._backup or ():
            tell(f"The backup knows {entry['callback']}, now missing: its last factor stays.")
        factor = math.prod(callback.contribution.factor for callback in found)
        for entry in list(found.values())[-1:]:
            # A state that was taken before any fit, or by hand, says nothing of rates.
            if entry.get("rates"):
                _put_back(optimizers, entry, factor)
        moments = [self._backup_moment, *found.values()]
        clocks = [m["clocks"] for m in moments if "clocks" in m and m["epoch"] == epoch > 0]
        return list(found), clocks[0] if clocks else None

    def _restore(self, callback, entry):
        try:
            callback.restore(entry)
        except ValueError as error:
            file = callback.state_file
            place = self._place or (file and f"the state file {file.path}") or "`set_state`"
            error.add_note(f"The state is from {place}: put back a copy of it, or begin anew.")
            raise

    def _found(self, callback, epoch, counts, batches):
        given = callback.take_given_state()
        if given is not None:
            self._given[callback] = given
            return given
        if self._backup is not None:
            return self._from_backup(callback)
        if callback.state_file is not None:
            # A run that is made of many fits begins each of them at epoch 0.
            known = None if callback.across_fits else epoch
            return callback.state_file.find(known, counts, batches)
        return None

    def _from_backup(self, callback):
        for i, entry in enumerate(self._backup):
            if entry["callback"] == callback.owner:
                return self._backup.pop(i)
        tell(f"{callback.owner} is not in the backup: it begins with a fresh state.")
        return None

    # Kept

    def arrays(self):
        """Returns, by their place in `latest`, what callbacks remember in arrays."""
        found = [callback.get_arrays() for callback in self._remembering]
        return {f"{i}.{j}": a for i, arrays in enumerate(found) for j, a in enumerate(arrays)}

    def begin(self, driven, epoch, restored):
        """Keeps the states that a fit begins with; those of `restored` are in their files."""
        self.follow(driven)
        self._take(driven, epoch)
        self._write([callback for callback in self._remembering if callback not in restored])

    def follow(self, driven):
        """Takes other optimizers for those that had been driven."""
        self._schedules = [config_of(one.own) for one in driven]

    def keep(self, driven, epoch):
        """Keeps all states of the moment after `epoch` epochs."""
        self._take(driven, epoch)
        self._write(self._remembering)

    def _take(self, driven, epoch):
        self.moment = {
            "epoch": epoch,
            "iterations": [one.batches_counted() for one in driven],
            "schedules": self._schedules,
            "rates": [one.standing() for one in driven],
            "clocks": [one.clock() for one in driven],
        }
        self.latest = [callback.entry(self.moment) for callback in self._remembering]

    def _write(self, callbacks):
        for callback, entry in zip(self._remembering, self.latest):
            if callback in callbacks and callback.state_file is not None:
                callback.state_file.write(entry)


def _put_back(found, entry, factor):
    """Puts the base of a moment into the optimizers; `factor` is dialled on top of it again."""
    if len(found) != len(entry["rates"]):
        raise ValueError(
            f"The state of {entry['callback']} must be of a model with {len(found)} optimizers, "
            f"as this one. Received: {len(entry['rates'])}"
        )
    for leaf, config, then in zip(found, entry["schedules"], entry["rates"]):
        # Saved factors that no callback has restored stay in the base.
        rest = then["scale"] / factor if then["scale"] and factor else 1.0
        dialled = then["dialled"][::-1]
        if has_rate_variable(leaf):
            _put_back_number(leaf, then["base"], dialled, rest, factor)
        else:
            _put_back_schedule(leaf, config, dialled, rest)


def _put_back_number(leaf, base, dialled, rest, factor):
    found = rate_as_written(own_rate(leaf))
    known = [] if base is None else [base, *(base * scale + level for scale, level in dialled)]
    if any(math.isclose(found, rate, rel_tol=1e-5) for rate in known):
        leaf.learning_rate = base * rest
        return
    # An absolute rate is dialled again whatever the optimizer has.
    if dialled[0][0] and factor:
        tell(f"{leaf.name} has a rate of its own, {found:.4g}: training goes on with that.")
        leaf.learning_rate = found / factor


def _put_back_schedule(leaf, config, dialled, rest):
    own = as_schedule("learning_rate", own_rate(leaf))
    base = revived(config)
    if base is None:
        return
    base = in_class_of(own_rate(leaf), base)
    known = [combined(base, scale, level) for scale, level in [(1.0, 0.0), *dialled]]
    known = [as_schedule("learning_rate", schedule) for schedule in known]
    if own not in known:
        tell(f"{leaf.name} has another schedule than the saved run: training goes on with {own}.")
    elif own != known[0] or rest != 1.0:
        leaf.learning_rate = combined(base, rest, 0.0)
