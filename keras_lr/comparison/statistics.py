"""What a few paired results show: Student's t for whole degrees of freedom, Holm's correction."""

import math
from typing import NamedTuple

import numpy as np


def t_tail(t, freedom):
    """Returns how likely Student's t is at least as far from 0, on either side.

    In closed form for whole degrees of freedom (Abramowitz & Stegun 26.7.3 and 26.7.4).

    >>> round(t_tail(2.776, 4), 3), t_tail(0.0, 3)
    (0.05, 1.0)
    """
    cosine = math.sqrt(freedom / (freedom + t * t))
    sine = abs(t) / math.sqrt(freedom + t * t)
    odd = freedom % 2
    # The sum of products of (k − 1)/k · cos²θ, from cosθ for odd freedoms and from 1 for even ones.
    term = cosine if odd else 1.0
    total = 0.0 if freedom == 1 else term
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    inside = sine * total
    if odd:
        inside = 2.0 / math.pi * (math.atan2(sine, cosine) + inside)
    return max(0.0, 1.0 - inside)


def t_quantile(confidence, freedom):
    """Returns the t that is exceeded, on either side, with a probability of 1 − `confidence`.

    >>> round(t_quantile(0.95, 4), 3)
    2.776
    """
    low, high = 0.0, 1.0
    while t_tail(high, freedom) > 1.0 - confidence:
        high *= 2.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        if t_tail(middle, freedom) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def holm(likelihoods):
    """Returns p-values corrected for their number, so that each can be held against one level.

    The lowest of n is multiplied by n, the next by n − 1 and so on, and none may be below the one
    before it (Holm 1979).

    >>> [round(p, 3) for p in holm([0.03, 0.01, 0.5])]
    [0.06, 0.03, 0.5]
    """
    corrected, least = [0.0] * len(likelihoods), 0.0
    ranked = sorted(range(len(likelihoods)), key=likelihoods.__getitem__)
    for place, i in enumerate(ranked):
        least = max(least, min(1.0, likelihoods[i] * (len(likelihoods) - place)))
        corrected[i] = least
    return corrected


class Paired(NamedTuple):
    """The mean of some paired differences, its standard error, and how likely chance made it."""

    difference: float
    error: float
    p: float


def paired(first, second):
    """Returns what pairs of results show; those with a number that is none show nothing.

    >>> found = paired([1.0, 2.0, 3.0], [0.0, 1.5, 1.5])
    >>> found.difference, round(found.error, 3), round(found.p, 3)
    (1.0, 0.289, 0.074)
    """
    differences = np.subtract(first, second) if _all_finite(first, second) else np.array([])
    count = len(differences)
    if count < 2:
        return Paired(math.nan, math.nan, 1.0)
    mean, error = mean_and_error(differences)
    # Rounding alone makes no difference.
    size = float(np.max(np.abs([first, second])))
    if error <= 1e-12 * size:
        return Paired(mean, error, 0.0 if abs(mean) > 1e-9 * size else 1.0)
    return Paired(mean, error, t_tail(mean / error, count - 1))


def mean_and_error(values):
    """Returns the mean of results and its standard error, infinity and NaN if one is no number.

    >>> mean_and_error([1.0, 3.0])
    (2.0, 1.0)
    """
    values = np.asarray(values, "float64")
    if not len(values) or not np.all(np.isfinite(values)):
        return math.inf, math.nan
    if len(values) < 2:
        return float(values[0]), math.nan
    return float(np.mean(values)), float(np.std(values, ddof=1) / math.sqrt(len(values)))


def _all_finite(*lists):
    return all(np.all(np.isfinite(values)) for values in lists)
