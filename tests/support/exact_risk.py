"""The exact expected risk of SGD on least squares, under any rates: an oracle without chance.

Inputs are Gaussian with independent entries of variances λ, targets linear with noise of variance
σ², each batch of B rows is new. With e the expected squares of what the weights are off, an update
at rate η makes

    e ← (1 − ηλ)²·e + η²λ·(λ·e + Σλe + σ²) / B,

which is the fourth moment of a Gaussian; the risk above the lowest is ½·Σλe.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class LeastSquares:
    """One problem: variances of the inputs, of the noise, rows in a batch, first errors e."""

    variances: np.ndarray
    noise: float = 1.0
    batch: int = 1
    errors: float = 1.0

    @classmethod
    def power_law(cls, exponent, count=50, **options):
        """Returns the problem with the variances 1, 2^−exponent, 3^−exponent, …"""
        return cls(np.arange(1.0, count + 1) ** -exponent, **options)

    def risks(self, rates):
        """Returns the risk after the last update; `rates` are (…, updates), the result (…)."""
        rates, v = np.asarray(rates, "float64"), self.variances
        e = np.full((*rates.shape[:-1], len(v)), self.errors)
        with np.errstate(over="ignore", invalid="ignore"):
            for t in range(rates.shape[-1]):
                rate = rates[..., t, None]
                spread = v * e + np.sum(v * e, axis=-1, keepdims=True) + self.noise
                e = (1.0 - rate * v) ** 2 * e + rate**2 * v * spread / self.batch
            risk = 0.5 * np.sum(v * e, axis=-1)
        return np.where(np.isfinite(risk), risk, np.inf)

    def tuned(self, shapes, per_octave=8, octaves=14):
        """Returns the lowest risk of each shape of rates over its peak, and the peak of that.

        The optimum of each has to be within the peaks that are tried.
        """
        shapes = np.asarray(shapes, "float64")
        shapes = shapes / shapes.max(axis=-1, keepdims=True)
        highest = 2.0 * self.batch / np.sum(self.variances)
        peaks = 2.0 * highest * 2.0 ** -(np.arange(octaves * per_octave) / per_octave)
        risks = self.risks(shapes[:, None, :] * peaks[:, None])
        best = risks.argmin(axis=1)
        assert np.all((best > 0) & (best < len(peaks) - 1)), best
        return risks.min(axis=1), peaks[best]


def spearman(a, b):
    """Returns the correlation of the ranks of two lists without ties."""
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])
