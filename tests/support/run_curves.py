"""Curves of runs that somebody could have made, with what is wrong in them."""

import numpy as np

from keras_lr.diagnosis.run_curves import RunCurves

POINTS = np.arange(40.0)


def decay(scale=6.0, floor=0.3, height=2.0, points=POINTS):
    """Returns losses that fall exponentially: floor + height · e^(−t/scale)."""
    return floor + height * np.exp(-points / scale)


def noisy(losses, deviation=0.005, seed=0):
    """Returns losses with Gaussian noise."""
    return losses + deviation * np.random.default_rng(seed).normal(size=len(losses))


def stepped(*pieces):
    """Returns rates from pairs of a rate and for how many points it stays."""
    return np.concatenate([np.full(count, rate) for rate, count in pieces])


def with_at(losses, at, value):
    """Returns losses with another value at one point, or at several."""
    losses = np.array(losses)
    losses[at] = value
    return losses


def waited_for_a_cut(flat):
    """A loss that is flat after a while at the high rate, and falls at once when it is cut."""
    count = 10 + flat
    high, low = 0.5 + np.exp(-np.arange(float(count)) / 2), np.full(15, 0.3)
    rate = stepped((0.1, count), (0.01, 15))
    return RunCurves(noisy(np.concatenate([high, low]), 0.002), rate=rate)


def _halved_while_falling():
    rate = 0.1 * 0.3 ** np.minimum(POINTS // 3, 4)
    losses = np.where(POINTS < 12, 2.0 - 0.08 * POINTS, 1.04)
    return RunCurves(noisy(losses, 0.001), rate=rate)


# For each finding: a run in which it is, and one that differs in just that.
POSITIVE = {
    "nan": RunCurves(with_at(decay(), slice(11, None), np.nan)),
    "not a loss": RunCurves(noisy(0.95 - 0.85 * np.exp(-POINTS / 5), 0.001)),
    "rising": RunCurves(np.concatenate([decay()[:20], 0.4 + 0.1 * np.arange(20.0)])),
    "oscillating": RunCurves(decay(floor=0.5) + 0.2 * (-1.0) ** POINTS),
    "never moved": RunCurves(np.full(40, 2.3)),
    "plateau": RunCurves(noisy(np.where(POINTS < 20, 2.0, decay(5, 0.0, 2.0, POINTS - 20)), 0.002)),
    "noise hides it": RunCurves(noisy(np.full(40, 1.0), 0.1)),
    "overfitting": RunCurves(decay(floor=0.01), decay(4, 0.5, 0.5) + 0.01 * POINTS),
    "spike": RunCurves(with_at(noisy(decay()), 25, 2.3)),
    "still falling": RunCurves(noisy(decay(scale=25.0), 0.001)),
    "converged": RunCurves(noisy(decay())),
    "cut too late": waited_for_a_cut(25),
    "improved after a cut": waited_for_a_cut(0),
    "cut too often": _halved_while_falling(),
    "rate at its floor": RunCurves(
        noisy(decay(points=np.minimum(POINTS, 20))), rate=stepped((0.1, 20), (1e-3, 20))
    ),
    "schedule exhausted": RunCurves(
        noisy(decay(points=np.minimum(POINTS, 20))), rate=0.1 * np.maximum(1.0 - POINTS / 20, 0.0)
    ),
    "warmup missing": RunCurves(
        np.concatenate([[2.3, 9.0, 4.0, 2.4, 2.0], noisy(decay(floor=0.1, height=1.5)[:35])]),
        rate=np.full(40, 0.1),
    ),
}
NEGATIVE = {
    "nan": RunCurves(decay()),
    "not a loss": RunCurves(noisy(decay(floor=0.05, height=0.9))),
    "rising": RunCurves(with_at(decay(), slice(20, None), decay()[20])),
    "oscillating": RunCurves(decay(floor=0.5) + 0.01 * (-1.0) ** POINTS),
    "never moved": RunCurves(with_at(np.full(40, 2.3), 20, 2.2)),
    "plateau": RunCurves(noisy(decay(), 0.002)),
    "noise hides it": RunCurves(noisy(1.0 - 0.02 * POINTS, 0.1)),
    "overfitting": RunCurves(decay(floor=0.01), decay(4, 0.5, 0.5)),
    "spike": RunCurves(noisy(decay())),
    "still falling": RunCurves(noisy(decay(scale=8.0), 0.001)),
    "converged": RunCurves(noisy(decay(scale=25.0), 0.001)),
    "cut too late": waited_for_a_cut(0),
    "improved after a cut": RunCurves(noisy(decay()), rate=stepped((0.1, 20), (0.01, 20))),
    "cut too often": RunCurves(noisy(decay(), 0.001), rate=0.1 * 0.3 ** (POINTS // 8)),
    "rate at its floor": RunCurves(noisy(decay(20.0)), rate=stepped((0.1, 10), (1e-2, 30))),
    "schedule exhausted": RunCurves(noisy(decay()), rate=0.1 * (1.0 - POINTS / 40)),
    "warmup missing": RunCurves(noisy(decay()), rate=np.full(40, 0.1)),
}
