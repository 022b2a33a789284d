"""The loss of the best constant answer: what a network has learned nothing from."""

import jax
import keras
import numpy as np
from jax import numpy as jnp
from regret_task_models import Variational

_RANGES = {"dice": (0.0, 1.0), "poisson": (1e-6, np.inf)}


def constant_loss(model, name, train, other):
    """Fits one answer for all rows of `train`; returns its loss on `other`, as the model's is."""
    x, y, weights = jax.tree.map(jnp.asarray, train)
    if isinstance(model, Variational):
        return model.constant_loss(jnp.asarray(other[0]), x.mean(0))
    lowest, highest = _RANGES.get(name, (-np.inf, np.inf))
    one = jax.tree.map(lambda a: a[:1], x)
    outputs, structure = jax.tree.flatten(model(one))

    def loss(answers, y, weights):
        full = [
            jnp.broadcast_to(jnp.clip(a, lowest, highest), (len(t), *o.shape[1:]))
            for a, t, o in zip(answers, jax.tree.leaves(y), outputs)
        ]
        with keras.StatelessScope():  # with several outputs the loss also keeps a mean of each
            return model._compile_loss(y, jax.tree.unflatten(structure, full), weights)

    # Adam from the targets' medians, in steps of their size that fall to zero.
    begin = [_centre(t, o.shape[-1]) for t, o in zip(jax.tree.leaves(y), outputs)]
    sizes = [0.1 * (1.0 + np.abs(a).max()) for a in begin]

    def update(i, state):
        answers, means, squares = state
        gradients = jax.grad(loss)(answers, y, weights)
        means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients)]
        squares = [0.99 * s + 0.01 * g * g for s, g in zip(squares, gradients)]
        moves = [
            size * (1.0 - i / 1000) * m / (jnp.sqrt(s) + 1e-12)
            for size, m, s in zip(sizes, means, squares)
        ]
        return [a - d for a, d in zip(answers, moves)], means, squares

    zeros = [0.0 * a for a in begin]
    run = jax.jit(lambda state: jax.lax.fori_loop(0, 1000, update, state)[0])
    return float(loss(run((begin, zeros, zeros)), other[1], other[2]))


def _centre(targets, units):
    """Returns the median of real targets, and zeros as the logits of classes."""
    codes = targets.dtype.kind == "i"
    rows = targets.reshape(-1, targets.shape[-1])
    return np.broadcast_to(np.float32(0.0 if codes else np.median(rows, 0)), (units,))
