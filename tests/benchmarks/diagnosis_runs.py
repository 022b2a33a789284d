"""Sweeps as one compiled epoch, all rates side by side; those of drawn tasks are in NumPy.

What a sweep leaves is a file of arrays, one row for each rate: `loss`, the mean over the batches of
each epoch, `val_loss` after it, `rate`, that of its last update, `updates`, the loss of every
batch, `initial` and `val_initial` before the first update, and `constant`, the validation loss of
the constant answer that is best on training rows.
"""

import time

import jax
import keras
import numpy as np
from diagnosis_drawn import Drawn, DrawnSweeper
from jax import numpy as jnp


class Sweeper:
    """Runs the sweeps of one task, that is of one optimizer and batch size."""

    def __init__(self, task):
        self.task = task
        train, validation, _ = task.parts()
        self._train, self._validation = (
            keras.tree.map_structure(_array, part) for part in (train, validation)
        )
        self._rows = len(keras.tree.flatten(train[0])[0])
        self._each = max(self._rows // task.batch_size, 1)
        self._constant = task.constant_loss(1)
        self.model = task.model(0)
        optimizer = self.model.optimizer
        optimizer.build(self.model.trainable_variables)
        self._rate_at = next(
            i for i, v in enumerate(optimizer.variables) if v is optimizer._learning_rate
        )
        self._epoch = jax.jit(self._of_epoch, donate_argnums=0)
        self._score = jax.jit(jax.vmap(self._test, in_axes=(0, None)))

    def run(self, sweep):
        """Returns the arrays of a sweep."""
        peaks = np.asarray(sweep.rates, "float32")
        state, rng = self._begin(sweep.seed, len(peaks)), np.random.default_rng(sweep.seed)
        factor = Factor(sweep.schedule, sweep.epochs * self._each, len(peaks))
        initial = np.asarray(self._score(state, self._train))
        scores = [np.asarray(self._score(state, self._validation))]
        losses, rates = [], []
        for epoch in range(sweep.epochs):
            order = rng.permutation(self._rows)[: self._each * self.task.batch_size]
            order = np.resize(order, (self._each, self.task.batch_size))
            of_epoch = peaks * factor.at(epoch * self._each + np.arange(self._each))
            state, batches = self._epoch(state, jnp.asarray(of_epoch, "float32"), order)
            losses.append(np.asarray(batches))
            rates.append(of_epoch[-1])
            scores.append(np.asarray(self._score(state, self._validation)))
            factor.see(scores[-1])
        updates = np.stack(losses)
        return {
            "peaks": peaks,
            "initial": initial,
            "val_initial": scores[0],
            "constant": np.float64(self._constant),
            "loss": updates.mean(1).T,
            "val_loss": np.stack(scores[1:], 1),
            "rate": np.stack(rates, 1),
            "updates": updates.reshape(-1, len(peaks)).T,
        }

    def _begin(self, seed, count):
        model = self.task.model(seed)
        model.optimizer.build(model.trainable_variables)
        kinds = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
        values = [[v.value for v in kind] for kind in kinds]
        metrics = [jnp.zeros_like(v.value) for v in self.model.metrics_variables]
        return jax.tree.map(
            lambda a: jnp.repeat(jnp.asarray(a)[None], count, 0), (*values, metrics)
        )

    def _of_epoch(self, state, rates, order):
        def update(state, now):
            rates, rows = now
            batch = keras.tree.map_structure(lambda a: None if a is None else a[rows], self._train)
            return jax.vmap(self._update, in_axes=(0, 0, None))(state, rates, batch)

        return jax.lax.scan(update, state, (rates, order))

    def _update(self, state, rate, batch):
        trainable, others, slots, metrics = state
        slots = [rate if i == self._rate_at else v for i, v in enumerate(slots)]
        fresh = [jnp.zeros_like(v) for v in metrics]
        logs, after = self.model.train_step((trainable, others, slots, fresh), batch)
        after = tuple(list(part) for part in after)
        kept = keras.tree.map_structure(lambda new, old: new.astype(old.dtype), after, state)
        return kept, logs["loss"]

    def _test(self, state, data):
        trainable, others, _, metrics = state
        fresh = [jnp.zeros_like(v) for v in metrics]
        return self.model.test_step((trainable, others, fresh), data)[0]["loss"]


class Factor:
    """What the peak rates are multiplied by: a schedule, or cuts by a fifth of each run's own."""

    def __init__(self, schedule, updates, count):
        self.schedule, self._updates = schedule, updates
        self._cuts, self._best = np.ones(count), np.full(count, np.inf)
        self._wait = np.zeros(count, int)

    def at(self, t):
        """Returns the factors of updates t, one column for each run."""
        part = t[:, None] / self._updates
        shape = {
            "linear": 1.0 - part,
            "cosine": (1.0 + np.cos(np.pi * part)) / 2.0,
            "WSD": np.minimum(1.0, np.minimum((part + 1 / self._updates) / 0.05, (1 - part) / 0.2)),
        }
        return shape.get(self.schedule, np.ones_like(part)) * self._cuts

    def see(self, scores):
        """Cuts the rate of runs whose validation loss has not improved for five epochs."""
        if self.schedule != "plateau":
            return
        better = scores < self._best
        self._best = np.where(better, scores, self._best)
        self._wait = np.where(better, 0, self._wait + 1)
        cut = self._wait >= 5
        self._cuts, self._wait = np.where(cut, self._cuts * 0.2, self._cuts), self._wait * ~cut


def _array(value):
    return None if value is None else jnp.asarray(value)


def make(sweeps, folder, until):
    """Runs what is not in `folder` yet, until then; neighbours of one task compile once."""
    folder.mkdir(parents=True, exist_ok=True)
    sweeper = None
    for number, sweep in enumerate(sweeps):
        path = sweep.path(folder)
        if path.exists():
            continue
        if time.monotonic() > until:
            print(f"Time is up after {number} of {len(sweeps)} sweeps.", flush=True)
            return
        if sweeper is None or sweeper.task != sweep.task:
            sweeper = _sweeper_of(sweep.task)
        part = path.with_suffix(".part")
        with open(part, "wb") as file:
            np.savez_compressed(file, **sweeper.run(sweep))
        part.replace(path)
        print(f"{number + 1}/{len(sweeps)}  {sweep.name}", flush=True)


def _sweeper_of(task):
    if isinstance(task, Drawn):
        return DrawnSweeper(task, Factor)
    keras.backend.clear_session()
    jax.clear_caches()
    return Sweeper(task)


def load(sweep, folder):
    """Returns the arrays of a sweep."""
    with np.load(sweep.path(folder)) as arrays:
        return dict(arrays)
