"""The experiment itself: which runs are made, from the results of which. Nothing is trained here.

`measure` takes a list of `Task` and returns the `Outcome` of each, by task.
"""

import math
from typing import NamedTuple

from keras_lr.comparison.statistics import mean_and_error

CHOOSE, REPORT = "choose", "report"
# Rates that a grid may gain at its ends: a factor of 256 on the side of the optimum.
MOST_ADDED = 8


class Task(NamedTuple):
    """One run: whose, its highest rate (None: one of its own), its seed, and what for."""

    name: str
    rate: float | None
    seed: int
    purpose: str


class Outcome(NamedTuple):
    """What a run has led to; `value` is None if it is no number.

    `metrics` are all that were measured on the part of the data that the run is for. A run that
    was `killed` took the process with it that it was in, each time that it was tried.
    """

    value: float | None
    metrics: dict
    seconds: float = 0.0
    killed: bool = False

    def cost(self, higher_is_better):
        """Returns what is to be as low as possible: infinity for what is no number."""
        if self.value is None or not math.isfinite(self.value):
            return math.inf
        return -self.value if higher_is_better else self.value


class Choice(NamedTuple):
    """A chosen rate, whether its optimum is within the grid, and the grid: rates and outcomes."""

    rate: float | None
    is_interior: bool
    grid: dict


def best_of(costs):
    """Returns the place of the lowest cost; of several equal ones beside it, the one in the middle.

    >>> best_of([3.0, 1.0, 2.0]), best_of([2.0, 1.0, 1.0, 1.0]), best_of([math.inf, math.inf])
    (1, 2, None)
    """
    lowest = min(costs)
    if lowest == math.inf:
        return None
    places = [i for i, cost in enumerate(costs) if cost == lowest]
    return places[len(places) // 2]


def rate_beyond(rates, costs):
    """Returns the rate that a grid lacks next to an end where its optimum is; None if it is inside.

    If all runs break, it is a lower one.

    >>> rate_beyond([1.0, 2.0, 4.0], [3.0, 2.0, 1.0]), rate_beyond([1.0, 2.0], [1.0, 2.0])
    (8.0, 0.5)
    >>> rate_beyond([1.0, 2.0, 4.0], [3.0, 1.0, 2.0])
    """
    best = best_of(costs)
    if best is None or best == 0:
        return rates[0] / 2.0
    return rates[-1] * 2.0 if best == len(rates) - 1 else None


def choose(grids, seeds, measure, higher_is_better=False):
    """Returns the `Choice` for each name, by the mean of its runs over all `seeds`.

    `grids` has the rates to begin with, by name, or None for one that has no rate to choose. Grids
    that are missing the other side of their optimum gain rates by factors of 2, `MOST_ADDED` each.
    """
    grids = {name: rates and sorted(rates) for name, rates in grids.items()}
    planned = {name: rates and len(rates) + MOST_ADDED for name, rates in grids.items()}
    found = {name: {} for name in grids}
    while True:
        todo = {n: [r for r in rs or () if r not in found[n]] for n, rs in grids.items()}
        # By seeds, as a worker has the first weights of one seed at hand.
        tasks = [Task(n, r, s, CHOOSE) for s in seeds for n, rs in todo.items() for r in rs]
        if not tasks:
            break
        outcomes = measure(tasks)
        for name, rates in todo.items():
            for rate in rates:
                found[name][rate] = [outcomes[Task(name, rate, s, CHOOSE)] for s in seeds]
        for name, rates in grids.items():
            beyond = rates and rate_beyond(rates, _costs(rates, found[name], higher_is_better))
            if beyond and len(rates) < planned[name]:
                grids[name] = sorted([*rates, beyond])
    return {n: _choice(rates, found[n], higher_is_better) for n, rates in grids.items()}


def report(choices, seeds, measure):
    """Returns the outcomes at the chosen rates, by name, in the order of the fresh `seeds`."""
    tasks = [Task(n, c.rate, s, REPORT) for s in seeds for n, c in choices.items()]
    outcomes = measure(tasks)
    return {n: [outcomes[Task(n, c.rate, s, REPORT)] for s in seeds] for n, c in choices.items()}


def mean_cost(outcomes, higher_is_better):
    """Returns mean and standard error of the cost; runs that killed their process are left out."""
    return mean_and_error([o.cost(higher_is_better) for o in outcomes if not o.killed])


def _choice(rates, found, higher_is_better):
    if rates is None:
        return Choice(None, True, {})
    costs = _costs(rates, found, higher_is_better)
    best = best_of(costs)
    inside = best is not None and 0 < best < len(rates) - 1
    return Choice(rates[best or 0], inside, {rate: found[rate] for rate in rates})


def _costs(rates, found, higher_is_better):
    return [mean_cost(found[rate], higher_is_better)[0] for rate in rates]
