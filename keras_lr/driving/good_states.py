"""The stretches of a training, and the states that it can go back to."""

from typing import NamedTuple

from keras_lr.keras_private.copies import Snapshot


class Kept(NamedTuple):
    """A state of a fit: weights and slots, the optimizers' own rates, its metric and its name."""

    snapshot: Snapshot
    bases: list
    value: float
    name: str

    @classmethod
    def now(cls, driver, model, directory, value, name):
        """Returns the present state."""
        bases = [rate.initial for rate in driver.rates]
        return cls(Snapshot(model, with_optimizer=True), bases, value, name)

    def restore(self, driver):
        """Goes back to this state; a rate that somebody else has raised since is not the base."""
        driver.rewind(self.snapshot.restore)
        for rate, base in zip(driver.rates, self.bases):
            if base is not None:
                rate.initial = min(rate.initial, base)


class Trail:
    """The state that a stretch of training began with, the one before while needed, and the best.

    The metric of a stretch does not show what its last update did: the state after it is in doubt
    until the next stretch, or its first batch, has gone well.

    >>> trail = Trail("start", lambda state, best: True)
    >>> trail.add("first"), trail.add("second")
    (None, None)
    >>> trail.back()  # "second" was in doubt
    'first'
    >>> trail.trust()
    >>> trail.best
    'first'
    """

    def __init__(self, start, is_better):
        self._begin, self._before, self.best = start, None, start
        self._is_better = is_better

    def trust(self):
        """Takes the state that the stretch began with for a good one."""
        self._before = None
        if self._begin is not self.best and self._is_better(self._begin, self.best):
            self.best = self._begin

    def add(self, state):
        """Begins a stretch at `state`, after one that has gone well."""
        self.trust()
        self._before, self._begin = self._begin, state

    def back(self):
        """Returns the last state that is in no doubt; the next stretch begins there."""
        self._begin, self._before = self._before or self._begin, None
        return self._begin


class Stretch:
    """The batches since the last look, and their mean, by Keras' running mean of the epoch.

    >>> stretch = Stretch()
    >>> stretch.begin(seen=2, mean=1.0)
    >>> stretch.count(5), stretch.mean(5, 4.0)  # 5 · 4 - 2 · 1 = 18 in three batches
    (3, 6.0)
    >>> stretch.end_epoch(5, 4.0)
    >>> stretch.count(3), stretch.mean(3, 2.0)  # 6 more in the next epoch's first three
    (6, 4.0)
    """

    def __init__(self):
        self.begin()

    def begin(self, seen=0, mean=0.0):
        """Begins anew after `seen` batches of the epoch, whose mean is this."""
        self._offset, self._total_before = seen, seen * mean

    def count(self, seen):
        """Returns how many batches there are in it, after `seen` ones of the epoch."""
        return seen - self._offset

    def mean(self, seen, mean):
        """Returns their mean, from that of the `seen` batches of the epoch."""
        return (seen * mean - self._total_before) / self.count(seen)

    def end_epoch(self, seen, mean):
        """Goes on into the next epoch, whose running mean begins anew."""
        self._offset -= seen
        self._total_before -= seen * mean
