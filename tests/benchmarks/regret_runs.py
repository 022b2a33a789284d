"""Training runs of a task as one compiled loop: started, continued, copied and scored at will."""

import functools

import jax
import keras
import numpy as np
from jax import numpy as jnp

from keras_lr.keras_private.overrides import Overrides
from keras_lr.keras_private.trial_fit import has_statistics, hasten_statistics

LONGEST = 5_000


class Runs:
    """Runs of one task. A state is a tuple of arrays and is never changed in place.

    A run is begun by `begin(seed)` and goes on with every call of `train`. The rates are written
    into the optimizer's own variable, and each step is the model's own `train_step`.
    """

    def __init__(self, task):
        self.task = task
        self.parts = dict(zip(("train", "validation", "test"), task.parts()))
        self._device = {name: keras.tree.map_structure(_array, p) for name, p in self.parts.items()}
        self.rows = len(keras.tree.flatten(self.parts["train"][0])[0])
        self.updates_per_epoch = -(-self.rows // task.batch_size)
        self.model = task.model(0)
        optimizer = self.model.optimizer
        optimizer.build(self.model.trainable_variables)
        self.default_rate = float(optimizer.learning_rate)
        self._rate_at = next(
            i for i, v in enumerate(optimizer.variables) if v is optimizer._learning_rate
        )
        self._begins, self._orders = {}, {}
        self._loop, self._once = jax.jit(self._train), jax.jit(self._update)
        self._score = jax.jit(self._test)

    @functools.cached_property
    def of_trials(self):
        """The same as `Trials` makes them, where moving statistics follow the data faster."""
        if not has_statistics(self.model):
            return self
        runs = Runs(self.task)
        hasten_statistics(Overrides(), runs.model)
        return runs

    def begin(self, seed):
        """Returns the state of the task's model as made from `seed`."""
        if seed not in self._begins:
            model = self.task.model(seed)
            model.optimizer.build(model.trainable_variables)
            kinds = (model.trainable_variables, model.non_trainable_variables)
            values = [[v.value for v in kind] for kind in (*kinds, model.optimizer.variables)]
            metrics = [jnp.zeros_like(v.value) for v in self.model.metrics_variables]
            self._begins[seed] = (*values, metrics)
        return self._begins[seed]

    def train(self, state, rates, order, begin=0, rows=None):
        """Trains at `rates`, with the batches of `order` (a seed) from number `begin` on.

        Only the first `rows` are trained on, by default all. Returns the state and the batches' own
        losses; after one that is no number nothing is done.
        """
        steps = len(rates)
        plan = np.zeros(LONGEST, "float32")
        plan[begin : begin + steps] = rates
        losses = jnp.full(LONGEST, jnp.nan)
        carried = (jnp.int32(begin), state, losses)
        plan, rows = jnp.asarray(plan), self._order(order, rows or self.rows)
        if self.task.in_loop:
            carried = self._loop(carried, plan, rows, begin + steps)
        else:
            for _ in range(steps):
                carried = self._once(carried, plan, rows)
        return carried[1], np.asarray(carried[2])[begin : begin + steps].astype("float64")

    def loss(self, state, part="test"):
        """Returns the loss on a whole part, as `evaluate` has it in one batch."""
        return float(self._score(state, self._device[part]))

    def hold_back(self, share):
        """Makes the last rows to train on a part, "held back"; returns how many are left."""
        left = int(self.rows * (1.0 - share))
        self._device["held back"] = jax.tree.map(lambda a: a[left:], self._device["train"])
        return left

    def _order(self, seed, rows):
        if (seed, rows) not in self._orders:
            rng, size = np.random.default_rng(1000 + seed), self.task.batch_size
            epochs, each = [], -(-rows // size)
            for _ in range(-(-LONGEST // each)):
                order = rng.permutation(rows)
                # The last batch is filled with the first rows: one shape compiles once.
                epochs.append(np.resize(order, each * size).reshape(each, size))
            epochs = np.concatenate(epochs)[:LONGEST].astype("int32")
            self._orders[seed, rows] = jnp.asarray(epochs)
        return self._orders[seed, rows]

    def _update(self, carried, rates, order):
        i, (trainable, others, slots, metrics), losses = carried
        batch = keras.tree.map_structure(
            lambda a: None if a is None else a[order[i]], self._device["train"]
        )
        slots = [rates[i] if j == self._rate_at else v for j, v in enumerate(slots)]
        fresh = [jnp.zeros_like(v) for v in metrics]
        logs, state = self.model.train_step((trainable, others, slots, fresh), batch)
        state = tuple(list(part) for part in state)
        kept = keras.tree.map_structure(lambda new, old: new.astype(old.dtype), state, carried[1])
        return i + 1, kept, losses.at[i].set(logs["loss"])

    def _train(self, carried, rates, order, end):
        def goes_on(carried):
            i, _, losses = carried
            last = losses[jnp.maximum(i - 1, 0)]
            return (i < end) & ((i == 0) | jnp.isfinite(last) | jnp.isnan(losses).all())

        return jax.lax.while_loop(goes_on, lambda c: self._update(c, rates, order), carried)

    def _test(self, state, data):
        trainable, others, _, metrics = state
        fresh = [jnp.zeros_like(v) for v in metrics]
        logs, _ = self.model.test_step((trainable, others, fresh), data)
        return logs["loss"]


def _array(value):
    return None if value is None else jnp.asarray(value)


def linear_to_zero(peak, steps):
    return peak * (1.0 - np.arange(steps) / steps)
