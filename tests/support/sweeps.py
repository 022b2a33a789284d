"""Sweeps of a quadratic function, as a range test would record them."""

import numpy as np

from keras_lr.finder.curve import Curve
from keras_lr.finder.stopping import AfterDivergence

RATES = 1e-7 * 1e9 ** (np.arange(200) / 99)


def quadratic(curvature, noise=0.0, seed=0, beta=0.85, offset=0.0):
    """Returns the curve of gradient descent on `curvature/2 · w²`, as a sweep would record it."""
    rng, weight, losses = np.random.default_rng(seed), 1.4, []
    rule = AfterDivergence(100, 10, beta)
    for rate in RATES:
        losses.append(0.5 * curvature * weight**2 * (1 + noise * rng.normal()) + offset)
        if rule.add(losses[-1]):
            break
        weight -= rate * curvature * weight
    return Curve(RATES[: len(losses)], np.array(losses), 10, beta, rule.diverged)
