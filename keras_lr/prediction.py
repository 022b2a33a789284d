"""What theory says of a schedule before anything is trained: the bound of the last iterate."""

import dataclasses
import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_lr import checks

_LONGEST = 10**7
_LENGTH = checks.Number(minimum=1, maximum=_LONGEST, integer=True)
_NORM = checks.Number(minimum=0, size=checks.CALCULATED)
_LONGEST_NAME, _WIDTH = 60, 100
# A rate below so much of the peak is 0 but for rounding.
_ZERO = 2.0**-52

_NOTES = (
    "A rate that is tuned for one schedule is right for another if it is multiplied by the "
    "quotient of their relative peaks.",
    "The bound is for one pass of SGD over data with noise. It says nothing of several epochs over "
    "small data, where a network overfits: of the validation loss it knows nothing. Random rates "
    "it judges by the draws that happen to come last. Where there is little noise it praises "
    "annealing too much. A schedule that ends long before the run, at a rate just above 0, is "
    "better than it says.",
    "How large a loss will be it cannot tell, and differences of a few per cent mean nothing.",
)


@dataclass(frozen=True)
class Bound:
    """The bound of a schedule's shape: `distance_term / peak + gradient_term * peak`.

    `value` is its least, 2·√(distance_term · gradient_term), in units of the loss, and
    `best_peak` the highest rate of the schedule at which it is that, √(distance_term /
    gradient_term). The rates as they were given do not count, only their proportions.
    """

    value: float
    best_peak: float
    distance_term: float
    gradient_term: float

    def at(self, peak):
        """Returns the bound of the same shape with another highest rate.

        >>> found = Bound(value=2.0, best_peak=1.0, distance_term=1.0, gradient_term=1.0)
        >>> found.at(1.0), found.at(2.0)
        (2.0, 2.5)
        """
        peak = checks.POSITIVE("peak", peak)
        return self.distance_term / peak + self.gradient_term * peak


def bound(schedule, total_steps, gradient_norms=None, distance=1.0) -> Bound:
    """Returns what the loss after `total_steps` updates exceeds the lowest one by, at most.

    That is of the mean over the data's order, for SGD on a convex loss. With r the rates of the
    schedule in parts of their highest, G the `gradient_norms` and `peak` that highest rate, it is
    `distance_term / peak + gradient_term * peak`, where

    * `distance_term` = distance² / (2·Σr)
    * `gradient_term` = Σr²G² / (2·Σr) + ½·Σₖ (rₖ / Σ_{t>k} rₜ) · (Σ_{t≥k} rₜ²Gₜ² / Σ_{t≥k} rₜ),
      k over all updates but the last.

    It is worked out in O(total_steps). Updates at rate 0 change nothing and are left out.

    Args:
        schedule: a schedule, also one of Keras', a function of the step or a number; or an array
            of the `total_steps` rates. Durations such as "5%" are parts of `total_steps`.
        total_steps: length of the run in updates, at most 10⁷.
        gradient_norms: norms of the updates' gradients, a number or one for each update, as they
            were recorded in an earlier run; 1 by default.
        distance: from the first weights to the best ones. `value` is proportional to it, and so is
            `best_peak`: as long as it is unknown, only ratios between schedules mean something.

    Raises `ValueError` for rates that are negative or all 0, and norms that are so.

    >>> from keras_lr import bound
    >>> bound([0.3, 0.3], 2)  # distance 1/(2·2); gradient 2/(2·2) + ½·(1/1)·(2/2)
    Bound(value=1.0, best_peak=0.5, distance_term=0.25, gradient_term=1.0)
    >>> from keras_lr.schedules import LinearDecay
    >>> round(bound(LinearDecay(0.1, 10_000), 10_000).value * 10_000**0.5, 2)  # → 2
    2.0

    Source: Schaipp et al., arXiv 2501.18965; Defazio et al., arXiv 2310.07831, theorem 10.
    """
    total_steps = _LENGTH("total_steps", total_steps)
    rates = _rates("schedule", schedule, total_steps)
    norms = _norms(gradient_norms, total_steps)
    distance = checks.POSITIVE("distance", distance)
    return _bound("schedule", schedule, rates, norms, distance)


def rank(schedules, total_steps, gradient_norms=None, distance=1.0) -> "Ranking":
    """Returns schedules in the order of their `bound`, each at its own best peak, the best first.

    `schedules` is a mapping of names to schedules, or a list; each is what `bound` takes, and so
    are the other arguments. A row has the bound, the bound in parts of the best one, and the best
    peak in parts of that of the first row. The table says in words where the bound does not hold.

    >>> from keras_lr import rank
    >>> from keras_lr.schedules import Constant, LinearDecay
    >>> table = rank({"linear": LinearDecay(0.1, 1000), "constant": Constant(0.1)}, 1000)
    >>> [(row.name, round(row.relative, 2), round(row.relative_peak, 2)) for row in table.rows]
    [('linear', 1.0, 1.0), ('constant', 1.45, 0.34)]

    Source: Schaipp et al., arXiv 2501.18965.
    """
    total_steps = _LENGTH("total_steps", total_steps)
    norms = _norms(gradient_norms, total_steps)
    distance = checks.POSITIVE("distance", distance)
    found = []
    for name, argument, schedule in _named(schedules):
        rates = _rates(argument, schedule, total_steps)
        found.append((name, _bound(argument, schedule, rates, norms, distance)))
    found.sort(key=lambda pair: pair[1].value)
    best = found[0][1]
    rows = [
        Row(name, f.value, f.value / best.value, f.best_peak / best.best_peak) for name, f in found
    ]
    return Ranking(tuple(rows), total_steps)


@dataclass(frozen=True)
class Row:
    """A schedule in a `Ranking`: its bound, that in parts of the best, and its relative peak."""

    name: str
    bound: float
    relative: float
    relative_peak: float


@dataclass(frozen=True)
class Ranking:
    """What `rank` returns: `rows`, the best schedule first; printed, it is a table.

    `notes` say what the columns mean, and where the bound does not hold.

    >>> from keras_lr import rank
    >>> print(rank({"flat": [1.0, 1.0], "falling": [1.0, 0.5]}, 2))
    schedule  bound  relative  relative peak
    flat       1.00     1.000           1.00
    falling    1.29     1.291           1.03
    <BLANKLINE>
    A rate that is tuned for ...
    """

    rows: tuple[Row, ...]
    total_steps: int
    notes: tuple[str, ...] = dataclasses.field(default=_NOTES, repr=False)

    def __str__(self):
        cells = [("schedule", "bound", "relative", "relative peak")]
        for row in self.rows:
            figures = f"{row.bound:#.3g}", f"{row.relative:.3f}", f"{row.relative_peak:.2f}"
            cells.append((row.name, *figures))
        first, *widths = [max(map(len, column)) for column in zip(*cells)]
        lines = [
            "  ".join([name.ljust(first), *(c.rjust(w) for c, w in zip(figures, widths))])
            for name, *figures in cells
        ]
        notes = [textwrap.fill(note, _WIDTH) for note in self.notes]
        return "\n".join([*lines, "", *notes])

    def to_dict(self):
        """Returns everything as JSON can hold it.

        >>> Ranking((Row("linear", 0.063, 1.0, 1.0),), 1000, notes=()).to_dict()["rows"]
        [{'name': 'linear', 'bound': 0.063, 'relative': 1.0, 'relative_peak': 1.0}]
        """
        rows = [dataclasses.asdict(row) for row in self.rows]
        return {"total_steps": self.total_steps, "rows": rows, "notes": list(self.notes)}

    def plot(self, ax=None):
        """Draws the bounds in parts of the best one, a bar per schedule; returns the axes."""
        from keras_lr.plotting.ranking import plot_ranking

        return plot_ranking(self, ax)


def is_table(schedule):
    """Tells whether something is an array or a list, of rates."""
    sized = hasattr(schedule, "__len__") and not isinstance(schedule, str)
    return sized and not callable(schedule) and checks.as_number(schedule) is None


def _named(schedules):
    """Yields of each schedule its name, what an error calls it, and the schedule."""
    if isinstance(schedules, Mapping):
        if not schedules or not all(isinstance(name, str) for name in schedules):
            checks.refuse("schedules", "a mapping of one or more names, or a list", schedules)
        for name, schedule in schedules.items():
            yield name, f"schedules[{name!r}]", schedule
        return
    for argument, schedule in checks.sequence("schedules", schedules, lambda *pair: pair):
        yield _name_of(argument, schedule), argument, schedule


def _name_of(argument, schedule):
    if is_table(schedule):
        return argument
    function = getattr(schedule, "function", None)
    name = getattr(function, "__name__", None) or " ".join(checks.shown(schedule).split())
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _rates(name, schedule, total_steps):
    if is_table(schedule):
        return _array(name, schedule, total_steps, "rates")
    if not hasattr(schedule, "rates"):
        checks.refuse(
            name, "one of keras_lr, or an array (`keras_lr.bound` takes others)", schedule
        )
    return schedule.resolve(total_steps=total_steps).rates(total_steps)


def _norms(norms, total_steps):
    if norms is None:
        return np.ones(total_steps)
    if checks.as_number(norms) is not None:
        return np.full(total_steps, _NORM("gradient_norms", norms))
    array = _array("gradient_norms", norms, total_steps, "norms")
    if not np.all((array >= 0) & (array <= checks.FLOAT32_MOST)):
        checks.refuse("gradient_norms", "finite and not negative", norms)
    return array


def _array(name, values, total_steps, what):
    required = f"an array of numbers, the {what} of the {total_steps} updates"
    try:
        array = np.asarray(values)
    except Exception:
        # Tensors on another device, ragged lists: NumPy and its guests raise what they like.
        checks.refuse(name, required, values)
    if array.dtype.kind not in "iuf" or array.shape != (total_steps,):
        received = f"{checks.shown(values)}, of shape {array.shape}"
        raise ValueError(f"`{name}` must be {required}. Received: {name}={received}")
    return array.astype("float64")


def _bound(name, schedule, rates, norms, distance):
    if not np.all(np.isfinite(rates) & (rates >= 0)):
        checks.refuse(name, "a schedule of finite rates, none of them negative", schedule)
    peak = np.max(rates)
    moves = rates > _ZERO * peak
    if not moves.any():
        checks.refuse(name, "a schedule with a rate above 0 within the run", schedule)
    r = rates[moves] / peak
    squares = (r * norms[moves]) ** 2
    # From each update to the last: sums from behind keep the digits of small rates.
    left = np.cumsum(r[::-1])[::-1]
    noise = np.cumsum(squares[::-1])[::-1] / left
    distance_term = distance**2 / (2.0 * left[0])
    gradient_term = 0.5 * float(noise[0] + np.sum(r[:-1] / left[1:] * noise[:-1]))
    if not gradient_term > 0:
        raise ValueError("`gradient_norms` must be above 0 for an update. Received: all of them 0")
    value = 2.0 * math.sqrt(distance_term * gradient_term)
    best_peak = math.sqrt(distance_term / gradient_term)
    return Bound(value, best_peak, float(distance_term), gradient_term)
