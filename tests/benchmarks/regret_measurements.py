"""What is measured of one cell: curves of the range test, and runs at a grid of peak rates."""

import jax
import keras
import numpy as np
from jax import numpy as jnp

from keras_lr.finder.curve import Curve
from keras_lr.finder.stopping import AfterDivergence
from keras_lr.finder.sweep import momentum_of

_LONGEST = 600
COARSE = np.geomspace(1e-6, 1e3, 19)
FINE = 10.0 ** np.linspace(-1.2, 1.2, 13)
SHORT = 10.0 ** np.linspace(-3.0, 2.0, 26)
SHAPES = 10.0 ** np.linspace(-1.75, 1.05, 8)
SLOW = 1e-7 * 1e9 ** (np.arange(600) / 299)
SEEDS = 2
REPEATS = 3
STEPS = 100
BETA = 0.85


class Runs:
    """Training runs of one cell, each from the weights and the order of data of its seed."""

    def __init__(self, cell):
        self.cell = cell
        self.x, self.y = cell.arrays()
        self._device = jnp.asarray(self.x), jnp.asarray(self.y)
        self._model = cell.model(0)
        optimizer = self._model.optimizer
        optimizer.build(self._model.trainable_variables)
        self._rate_at = next(
            i for i, v in enumerate(optimizer.variables) if v is optimizer._learning_rate
        )
        self._slots = [v.value for v in optimizer.variables]
        self._begins, self._orders = {}, {}
        self._whole, self._once = jax.jit(self._train), jax.jit(self._update)
        self._final = jax.jit(lambda *weights: self._loss(*weights, *self._device, False)[0])

    def _weights(self, seed):
        model = self.cell.model(seed)
        trainable, others = model.trainable_variables, model.non_trainable_variables
        return [v.value for v in trainable], [v.value for v in others]

    def _order(self, seed):
        rng, size = np.random.default_rng(1000 + seed), self.cell.batch_size
        rows = np.zeros((_LONGEST, size), "int32")
        each = len(self.x) // size
        for begin in range(0, _LONGEST, each):
            epoch = rng.permutation(len(self.x))[: each * size].reshape(each, size)
            rows[begin : begin + each] = epoch[: _LONGEST - begin]
        return jnp.asarray(rows)

    def __call__(self, rates, seed, order=None):
        """Trains at these rates; returns the loss of each batch and the final mean loss.

        The weights are drawn from `seed`, the order of the data from `order`, by default also.
        """
        order = seed if order is None else order
        padded = np.zeros(_LONGEST, "float32")
        padded[: len(rates)] = rates
        if seed not in self._begins:
            self._begins[seed] = self._weights(seed)
        if order not in self._orders:
            self._orders[order] = self._order(order)
        beginning = jnp.full(_LONGEST, jnp.nan).at[0].set(0.0)
        state = (0, *self._begins[seed], self._slots, beginning)
        plan = jnp.asarray(padded), self._orders[order]
        if "cnn" in self.cell.network:
            # Inside a compiled loop XLA's convolutions are a hundred times slower on a CPU.
            for _ in rates:
                state = self._once(state, *plan)
        else:
            state = self._whole(state, *plan, len(rates))
        _, trainable, others, _, losses = state
        return np.asarray(losses)[: len(rates)], float(self._final(trainable, others))

    def _loss(self, trainable, others, x, y, training):
        outputs, others, added = self._model.stateless_call(
            trainable, others, x, training=training, return_losses=True
        )
        return self._model._compile_loss(y, outputs) + sum(added), others

    def _update(self, state, rates, order):
        i, trainable, others, slots, losses = state
        rows, gradient = order[i], jax.value_and_grad(self._loss, has_aux=True)
        x, y = (array[rows] for array in self._device)
        (loss, others), grads = gradient(trainable, others, x, y, True)
        slots = [rates[i] if j == self._rate_at else v for j, v in enumerate(slots)]
        trainable, slots = self._model.optimizer.stateless_apply(slots, grads, trainable)
        return i + 1, list(trainable), list(others), list(slots), losses.at[i].set(loss)

    def _train(self, state, rates, order, steps):
        def goes_on(state):
            # What is no number will never be one again.
            return (state[0] < steps) & jnp.isfinite(state[-1][jnp.maximum(state[0] - 1, 0)])

        return jax.lax.while_loop(goes_on, lambda s: self._update(s, rates, order), state)


def linear_to_zero(peak, steps):
    return peak * (1.0 - np.arange(steps) / steps)


def constant(peak, steps):
    return np.full(steps, peak)


def stable(peak, steps):
    """Warmup-stable-decay without the warmup: 1 − √u over the last 20 %."""
    u = np.maximum(np.arange(steps) / steps - 0.8, 0.0) / 0.2
    return peak * (1.0 - np.sqrt(u))


def sweep(runs, repeat):
    """Returns the curve that `range_test` would record, over another order of the data."""
    rates = 1e-7 * 1e9 ** (np.arange(2 * STEPS) / (STEPS - 1))
    losses, _ = runs(rates, 0, order=SEEDS + 1 + repeat)
    return stopped(rates, losses, STEPS, momentum_of(runs._model.optimizer))


def stopped(rates, losses, steps, momentum):
    """Returns the curve up to where a sweep of so many planned updates would have ended."""
    head = steps // 10
    rule = AfterDivergence(steps, head, BETA)
    ended = next((i for i, loss in enumerate(losses) if rule.add(float(loss))), len(losses) - 1)
    losses = losses[: ended + 1].astype("float64")
    finite = np.isfinite(losses)
    return Curve(rates[: ended + 1][finite], losses[finite], head, BETA, rule.diverged, momentum)


def measure(cell, with_shapes=False):
    """Returns arrays: curves of `range_test`, final losses at rates, and losses of short runs."""
    runs = Runs(cell)
    if not runs._model._compile_loss.built:
        runs._model._compile_loss.build(
            jax.eval_shape(lambda: runs._device[1][:2]), runs._model(runs.x[:2])
        )

    def final(rate, seed, shape=linear_to_zero):
        return runs(shape(rate, cell.steps), seed)[1]

    initial = np.mean([runs([], seed)[1] for seed in range(SEEDS)])
    coarse = np.array([final(rate, 0) for rate in COARSE])
    fine_rates = _best(COARSE, coarse) * FINE
    fine = np.array([[final(rate, seed) for rate in fine_rates] for seed in range(SEEDS)])
    best = _best(fine_rates, fine.mean(0))
    short, shapes = best * SHORT, best * SHAPES
    short_losses = [runs(linear_to_zero(r, STEPS), 0, SEEDS)[0] for r in short]
    found = {
        "initial": initial,
        "coarse": coarse,
        "fine_rates": fine_rates,
        "fine": fine,
        "short_rates": short,
        "short": np.array(short_losses),
        "shape_rates": shapes,
        "slow": runs(SLOW, 0, SEEDS + 1)[0],
    }
    if with_shapes:
        found |= {
            shape.__name__: np.array([final(rate, 0, shape) for rate in shapes])
            for shape in (constant, stable)
        }
    for repeat in range(REPEATS):
        curve = sweep(runs, repeat)
        found |= {f"rates{repeat}": curve.rates, f"losses{repeat}": curve.losses}
        found[f"cut{repeat}"] = curve.cut_short
    keras.backend.clear_session()
    return found


def _best(rates, losses):
    return rates[np.argmin(np.where(np.isfinite(losses), losses, np.inf))]
