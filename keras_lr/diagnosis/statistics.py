"""Whether losses have fallen or risen by more than chance."""

import numpy as np

# So many standard errors are a fall. Of pure noise, 40 to 300 losses, 1 to 3 % fall by as many.
LEAST_FALL = 4.2
# Single losses count as so many standard deviations from the middle at most: stray ones are no
# evidence.
_MOST = 3.0
_SHORTEST = 4


def fall_in_errors(losses, head):
    """Returns the largest fall, in standard errors, from all losses before a window to its mean.

    Windows of 4, 6, 8, 12, 16, … losses, anywhere after the first `head`: where the fall is, how
    wide, and how little of it noise leaves to be seen need not be known. The noise is that of the
    losses before the window: half of it from their spread, half from the differences of
    neighbours, which a slow fall leaves alone but data in one order may make small.

    >>> noise = np.tile([1.0, -1.0], 50)
    >>> fall_in_errors(noise, 10) < 2 < 10 < fall_in_errors(noise - 4 * (np.arange(100) > 70), 10)
    True
    """
    losses = _without_strays(losses, head)
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    highest, at = 0.0, head
    for width in _widths(len(losses) - head):
        begin = np.arange(head, len(losses) - width + 1)
        falls = sums[begin] / begin - (sums[begin + width] - sums[begin]) / width
        falls /= np.sqrt(1.0 / begin + 1.0 / width)
        best = int(np.argmax(falls))
        if falls[best] > highest:
            highest, at = float(falls[best]), int(begin[best])
    spread = np.var(losses[:at], ddof=1)
    differences = np.mean(np.diff(losses[: max(at, 2 * head)]) ** 2) / 2.0
    noise = float(np.sqrt((spread + differences) / 2.0))
    if highest == 0.0:
        return 0.0
    return highest / noise if noise > 0 else np.inf


def rise_in_deviations(losses, smoothed, head):
    """Returns by how many standard deviations the mean has risen at the end from its lowest.

    The deviation is that of the first half of the losses, before they rose.

    >>> losses = np.r_[np.tile([1.0, -1.0], 40), 9.0, 9.0]
    >>> float(rise_in_deviations(losses, losses, 8).round(1))
    9.9
    """
    rise = smoothed[-1] - np.min(smoothed)
    noise = np.std(losses[: max(head, len(losses) // 2)], ddof=1)
    return rise / noise if noise > 0 else np.inf * np.sign(rise)


def _widths(most):
    width = _SHORTEST
    while width <= most:
        yield width
        if width + width // 2 <= most:
            yield width + width // 2
        width *= 2


def _without_strays(losses, head):
    first = losses[: max(head, len(losses) // 2)]
    middle = np.median(first)
    reach = _MOST * 1.4826 * np.median(np.abs(first - middle))
    return np.clip(losses, middle - reach, middle + reach) if reach > 0 else losses
