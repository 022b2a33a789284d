"""What a comparison has found: for each contender its rate and its results, and what is claimed."""

import dataclasses
import math
import textwrap
from dataclasses import dataclass

from keras_lr.comparison.protocol import CHOOSE, REPORT, mean_cost
from keras_lr.comparison.statistics import holm, mean_and_error, paired

_LEVEL, _WIDTH = 0.05, 100


@dataclass(frozen=True)
class Measured:
    """One run: whose, at which highest rate, from which seed, "choose" or "report", its result.

    `value` is infinite, or minus infinity where higher is better, if it was no number; NaN if the
    run killed its process. `metrics` are those of the validation or test data.
    """

    name: str
    rate: float | None
    seed: int
    purpose: str
    value: float
    metrics: dict
    seconds: float


@dataclass(frozen=True)
class Point:
    """A rate that was tried: mean and standard error of the validation metric over the seeds."""

    rate: float
    mean: float
    error: float


@dataclass(frozen=True)
class Contestant:
    """One contender: its chosen rate, the curve that it was chosen from, and its test results.

    `is_interior` tells whether rates on both sides did worse than the chosen one. `diverged` counts
    the runs of the report whose result was no number, `killed` those that killed their process.
    """

    name: str
    rate: float | None
    is_interior: bool
    curve: tuple[Point, ...]
    values: tuple[float, ...]
    mean: float
    error: float
    diverged: int
    killed: int


@dataclass(frozen=True)
class Difference:
    """The mean difference of two contenders' results, first minus second, over the same seeds.

    `p` is how likely chance alone makes one so large, by Student's t, corrected for the number of
    pairs by Holm's method; `is_claimed` whether it is below 5 %.
    """

    first: str
    second: str
    difference: float
    error: float
    p: float

    @property
    def is_claimed(self):
        """Whether the difference is more than chance would bring in 5 % of such comparisons."""
        return self.p < _LEVEL


@dataclass(frozen=True)
class Comparison:
    """What `compare` returns: `contestants`, the best first, `differences` of all pairs, `runs`.

    `print(comparison)` is the report. `notes` say what limits it.
    """

    metric: str
    higher_is_better: bool
    seeds: int
    total_steps: int
    contestants: tuple[Contestant, ...]
    differences: tuple[Difference, ...]
    runs: tuple[Measured, ...] = dataclasses.field(repr=False)
    notes: tuple[str, ...] = ()

    def __str__(self):
        return self.report()

    @property
    def best(self):
        """The name of the contender with the best mean; see `differences` for what is certain."""
        return self.contestants[0].name

    def report(self):
        """Returns the report as text: a table, what is claimed, and notes."""
        lines = [*_table(self), "", *self._claims(), *(f"Note: {note}" for note in self.notes)]
        return "\n".join(
            line if i <= len(self.contestants) else textwrap.fill(line, _WIDTH)
            for i, line in enumerate(lines)
        )

    def to_dict(self) -> dict:
        """Returns everything as JSON can hold it; what is no number is None."""
        return _as_json(dataclasses.asdict(self))

    def plot(self, ax=None):
        """Draws the results with their errors, a row per contender; returns the axes.

        Given two axes, `ax=figure.subplots(1, 2)`, it also draws how the rates were chosen.
        """
        from keras_lr.plotting.comparison import plot_comparison

        return plot_comparison(self, ax)

    def _claims(self):
        level = f"{_LEVEL:.0%}"
        pairs = len(self.differences)
        yield (
            f"Differences over the {self.seeds} seeds of the report, paired, ± standard error; "
            f"claimed below p = {level}, corrected for {pairs} pair{'s' if pairs > 1 else ''}:"
        )
        claimed = [d for d in self.differences if d.is_claimed]
        for found in claimed:
            better = (found.difference > 0) == self.higher_is_better
            first, second = (found.first, found.second)[:: 1 if better else -1]
            size = f"{abs(found.difference):.3g} ± {found.error:.2g}"
            yield f"  {first} is better than {second} by {size} (p = {found.p:.2g})"
        unclear = [f"{d.first} and {d.second}" for d in self.differences if not d.is_claimed]
        if unclear:
            yield f"  No difference is shown between {'; '.join(unclear)}."


def comparison(plan, total_steps, choices, reports, higher_is_better, notes):
    """Returns the `Comparison` of what the protocol has found, by name."""
    rows = []
    for name, choice in choices.items():
        rows.append(_contestant(name, choice, reports[name], higher_is_better))
    rows.sort(key=lambda row: (-row.mean if higher_is_better else row.mean, row.error))
    seeds = len(next(iter(reports.values())))
    said = [*notes, *(note for row in rows for note in _notes(row, seeds))]
    return Comparison(
        plan.metric,
        higher_is_better,
        seeds,
        total_steps,
        tuple(rows),
        differences(rows, reports, higher_is_better),
        tuple(_runs(choices, reports, higher_is_better)),
        tuple(said),
    )


def differences(rows, reports, higher_is_better):
    """Returns the `Difference` of each pair, those that are surest first."""
    found = []
    for i, first in enumerate(rows):
        for second in rows[i + 1 :]:
            both = zip(reports[first.name], reports[second.name])
            both = [pair for pair in both if not any(outcome.killed for outcome in pair)]
            values = [[_value(o, higher_is_better) for o in each] for each in zip(*both)]
            found.append((first.name, second.name, paired(*(values or ([], [])))))
    corrected = holm([pair.p for _, _, pair in found])
    rows = [Difference(a, b, f.difference, f.error, p) for (a, b, f), p in zip(found, corrected)]
    return tuple(sorted(rows, key=lambda row: row.p))


def _contestant(name, choice, outcomes, higher_is_better):
    curve = []
    for rate, tried in choice.grid.items():
        mean, error = mean_cost(tried, higher_is_better)
        curve.append(Point(rate, -mean if higher_is_better else mean, error))
    left = [o for o in outcomes if not o.killed]
    mean, error = mean_and_error([_value(o, higher_is_better) for o in left])
    return Contestant(
        name,
        choice.rate,
        choice.is_interior,
        tuple(curve),
        tuple(_value(outcome, higher_is_better) for outcome in outcomes),
        _worst(higher_is_better) if math.isinf(mean) else mean,
        error,
        sum(outcome.value is None for outcome in left),
        len(outcomes) - len(left),
    )


def _value(outcome, higher_is_better):
    if outcome.killed:
        return math.nan
    return _worst(higher_is_better) if outcome.value is None else outcome.value


def _worst(higher_is_better):
    return -math.inf if higher_is_better else math.inf


def _notes(row, seeds):
    if row.rate is None:
        yield f"{row.name} has a rate of its own, and none was chosen for it."
    elif not row.is_interior:
        ends = f"{row.curve[0].rate:.3g} to {row.curve[-1].rate:.3g}"
        yield (
            f"The best rate of {row.name} is at the edge of all that were tried, {ends}: a better "
            "one may be beyond. Begin nearer to it with rates=[…]."
        )
    if row.diverged:
        yield f"{row.name} diverged in {row.diverged} of {seeds} runs of the report."
    if row.killed:
        yield (
            f"{row.killed} of {seeds} runs of {row.name} killed the process they were in, three "
            "times each, and are left out."
        )


def _runs(choices, reports, higher_is_better):
    for name, choice in choices.items():
        for rate, outcomes in choice.grid.items():
            for seed, outcome in enumerate(outcomes):
                yield _measured(name, rate, seed, CHOOSE, outcome, higher_is_better)
        for i, outcome in enumerate(reports[name]):
            seed = len(reports[name]) + i
            yield _measured(name, choice.rate, seed, REPORT, outcome, higher_is_better)


def _measured(name, rate, seed, purpose, outcome, higher_is_better):
    value = _value(outcome, higher_is_better)
    return Measured(name, rate, seed, purpose, value, outcome.metrics, outcome.seconds)


def _table(found):
    cells = [("schedule", "rate", f"test {found.metric}", "± SE")]
    for row in found.contestants:
        rate = "own" if row.rate is None else f"{row.rate:.3g}"
        cells.append((row.name, rate, *_with_error(row.mean, row.error)))
    first, *widths = [max(map(len, column)) for column in zip(*cells)]
    for name, *figures in cells:
        yield "  ".join([name.ljust(first), *(c.rjust(w) for c, w in zip(figures, widths))])


def _with_error(mean, error):
    """Returns a mean to as many digits as its error has, of which there are two.

    >>> _with_error(0.78334, 0.0051), _with_error(math.inf, math.nan)
    (('0.7833', '0.0051'), ('inf', 'nan'))
    """
    if not (math.isfinite(mean) and error > 0):
        return f"{mean:.4g}", f"{error:.2g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{mean:.{digits}f}", f"{error:.2g}"


def _as_json(value):
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
