"""With what rate an optimizer was built, and which counts when a run goes on with another."""

import json
import warnings

from keras_lr.driving.messages import tell
from keras_lr.keras_private.optimizers import (
    batches_counted,
    has_rate_variable,
    leaves,
    own_rate,
    rate_as_written,
)
from keras_lr.schedules import registry
from keras_lr.schedules.coerce import as_schedule
from keras_lr.schedules.scaled import in_class_of


def config_of(own):
    """Returns the config of a schedule; None for a number, and for what has no config."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return json.loads(json.dumps(registry.serialize(as_schedule("learning_rate", own))))
    except (NotImplementedError, TypeError, ValueError):
        return None


def revived(config):
    """Returns the schedule of a config; None where there is none any more."""
    try:
        return None if config is None else registry.deserialize(config)
    except (TypeError, ValueError):
        return None


def rates_of(optimizer):
    """Returns for every single optimizer its number or the config of its schedule, as JSON."""
    return [
        rate_as_written(own_rate(leaf)) if has_rate_variable(leaf) else config_of(own_rate(leaf))
        for leaf in leaves(optimizer)
    ]


class NewRates:
    """The rates that a script has given its optimizers and that are not those of the saved run.

    To be made before the weights are loaded, and applied after that. `built` is what the run was
    built with, `standing` what its optimizers had when they were saved.
    """

    def __init__(self, optimizer, built, standing, place):
        self._leaves, self._standing, self._place = leaves(optimizer), standing, place
        self._now = rates_of(optimizer)
        if len(built) != len(self._now):
            raise ValueError(f"{len(built)} optimizers then, {len(self._now)} now")
        self._then = built
        self._new = [i for i in range(len(built)) if not _is_among(self._now[i], self._known(i))]
        for i in self._new:
            if isinstance(built[i], float) != isinstance(self._now[i], float):
                raise ValueError(
                    f"{self._leaves[i].name} had {_shown(built[i])} and has {_shown(self._now[i])}"
                    ": Keras cannot load the optimizer of a number into that of a schedule. "
                    "FitSchedule drives a schedule on a number"
                )

    def _known(self, i):
        # What has trained before, up to an interrupt, has what callbacks had made of its rate.
        has_trained = batches_counted(self._leaves[i]) > 0
        return [self._then[i], *([self._standing[i]] if has_trained else [])]

    @property
    def built(self):
        """What the run is built with from here on."""
        return self._then

    def keep(self, tell_how):
        """Goes on with the rates of the saved run; `tell_how` ends the message."""
        for i in self._new:
            leaf, kept = self._leaves[i], revived(self._kept(i))
            if kept is not None:
                leaf.learning_rate = in_class_of(own_rate(leaf), kept)
            is_kept = kept is not None or isinstance(self._now[i], float)
            self._tell(i, self._then[i] if is_kept else self._now[i], tell_how)

    def _kept(self, i):
        # A number was loaded with the weights.
        return None if isinstance(self._now[i], float) else self._standing[i]

    def take(self, entries, tell_how):
        """Goes on with the rates of the script; what callbacks have cut stays cut."""
        for i in self._new:
            now, is_number = self._now[i], isinstance(self._now[i], float)
            if is_number:
                self._leaves[i].learning_rate = now
            for entry in entries:
                if len(entry["rates"]) != len(self._leaves):
                    # Another optimizer than the model's own is driven.
                    continue
                if is_number:
                    entry["rates"][i]["base"] = now
                else:
                    entry["schedules"] = list(entry["schedules"])
                    entry["schedules"][i] = now
            self._tell(i, now, tell_how)
        self._then = self._now

    def _tell(self, i, counts, tell_how):
        tell(
            f"{self._place} is of a run whose optimizer {self._leaves[i].name} was built with "
            f"{_shown(self._then[i])}, and now it is built with {_shown(self._now[i])}: "
            f"{_shown(counts)} counts. {tell_how}"
        )


def _is_among(now, known):
    if isinstance(now, float):
        return now in known
    # A schedule without a config is not known, so that nothing can be said of it.
    found = revived(now)
    return now is None or now in known or (found is not None and found in map(revived, known))


def _shown(rate):
    return f"{rate:.4g}" if isinstance(rate, float) else repr(revived(rate) or "a schedule")
