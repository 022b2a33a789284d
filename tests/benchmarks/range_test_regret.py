"""How far the rates that `range_test` suggests end from the best.

Run `KERAS_BACKEND=jax python tests/benchmarks/range_test_regret.py FOLDER [--minutes M]`: what is
not yet in FOLDER is measured (10 s a cell), then tables are printed and a picture is written there.

The regret of a rate is (loss − best)/(initial − best). A loss is the mean over the training set
after the cell's number of updates, falling linearly to zero from that rate; best is the lowest of
13 rates, each trained from 2 seeds, a fifth of a decade apart around the best of 19 coarser ones;
between rates it is interpolated. No suggestion counts as a regret of 1, that of no training; the
share of those is told too.
Standard errors are from 1,000 resamplings of the cells. Curves, and the short runs of `verify`
(at the nearest of 26 rates a fifth of a decade apart), come from one compiled loop, over which the
package's own code is run; `--check N` compares N of them with `range_test` itself.
"""

import argparse
import math
import time
from pathlib import Path

import keras
import numpy as np
from regret_cells import HELD_OUT, OPTIMIZERS, TUNING, cells
from regret_measurements import (
    BETA,
    COARSE,
    REPEATS,
    SLOW,
    STEPS,
    Runs,
    measure,
    stopped,
    sweep,
)

from keras_lr import range_test
from keras_lr.finder.curve import Curve, mean_curve
from keras_lr.finder.result import RangeTest
from keras_lr.finder.rules import suggestions
from keras_lr.finder.sweep import momentum_of
from keras_lr.finder.verification import planned_schedule, verified

_WORST = 10.0
SUGGESTED = "suggestion"
_FIXED = {"SGD": 1e-2, "momentum": 1e-2, "nesterov": 1e-2}


class Measured:
    """A cell and what was measured of it."""

    def __init__(self, cell, arrays):
        self.cell, self._arrays = cell, arrays
        momentum = momentum_of(OPTIMIZERS[cell.optimizer]())
        self.curves = [
            Curve(arrays[f"rates{i}"], arrays[f"losses{i}"], STEPS // 10, BETA, bool(a), momentum)
            for i, a in enumerate(arrays[f"cut{i}"] for i in range(REPEATS))
        ]
        self.slow = stopped(SLOW, arrays["slow"], len(SLOW) // 2, momentum)
        fine_rates, fine = arrays["fine_rates"], arrays["fine"].mean(0)
        coarse = np.geomspace(COARSE[0], COARSE[-1], len(arrays["coarse"]))
        outside = (coarse < 0.99 * fine_rates[0]) | (coarse > 1.01 * fine_rates[-1])
        rates = np.concatenate([coarse[outside], fine_rates])
        losses = np.concatenate([arrays["coarse"][outside], fine])
        losses = np.where(np.isfinite(losses), losses, np.inf)[np.argsort(rates)]
        best, initial = np.min(losses[np.isin(np.sort(rates), fine_rates)]), arrays["initial"]
        self._log_rates = np.log(np.sort(rates))
        self._regrets = np.minimum((losses - best) / (initial - best), _WORST)
        self.interior = 0 < np.argmin(np.where(np.isfinite(fine), fine, np.inf)) < len(fine) - 1

    def regret(self, rate):
        """Returns the regret of a rate; NaN of None."""
        if rate is None:
            return math.nan
        return float(np.interp(math.log(rate), self._log_rates, self._regrets))

    def regret_of_shape(self, shape, factor):
        """Returns the regret, among runs of this shape, of `factor` times the best linear peak."""
        rates, losses = self._arrays["shape_rates"], self._arrays[shape]
        losses = np.where(np.isfinite(losses), losses, np.inf)
        regrets = (losses - np.min(losses)) / (self._arrays["initial"] - np.min(losses))
        at = self._log_rates[np.argmin(self._regrets)] + math.log(factor)
        return float(np.interp(at, np.log(rates), np.minimum(regrets, _WORST)))

    def has_shapes(self):
        """Whether other schedules were measured too, and something was learnt under them."""
        names = [name for name in ("constant", "stable") if name in self._arrays]
        return bool(names) and all(np.isfinite(self._arrays[n]).any() for n in names)

    def run(self, rates, rule):
        """Stands in for a trial: the short run at the nearest rate that was measured."""
        peak = math.log(rates[0])
        nearest = int(np.argmin(np.abs(np.log(self._arrays["short_rates"]) - peak)))
        losses = self._arrays["short"][nearest]
        rule.diverged = not np.all(np.isfinite(losses))
        return np.arange(len(losses)), losses

    def regrets(self):
        """Returns lists of regrets, one entry for each single sweep, by what chose the rate."""
        found, shape = {}, planned_schedule(None, STEPS)
        for curve in self.curves:
            one = RangeTest.of(curve, [curve])
            rates = dict(suggestions(curve))
            pair = rates["minimum"], rates["valley"]
            rates[SUGGESTED] = one.suggestion
            rates["√(minimum · valley)"] = None if None in pair else math.sqrt(pair[0] * pair[1])
            rates["Adam 1e-3, SGD 1e-2"] = _FIXED.get(self.cell.optimizer, 1e-3)
            for runs in (2, 3, 4):
                checked = one.suggestion and verified(one, self.run, shape, runs, STEPS)
                rates[f"{SUGGESTED}, verify={runs}"] = checked and checked.suggestion
            for name, rate in rates.items():
                found.setdefault(name, []).append(self.regret(rate))
        together = RangeTest.of(mean_curve(self.curves), self.curves)
        found[f"{SUGGESTED}, repeats={REPEATS}"] = [self.regret(together.suggestion)]
        slow = RangeTest.of(self.slow, [self.slow])
        found[f"{SUGGESTED}, num_steps=300"] = [self.regret(slow.suggestion)]
        return found


def measured(folder, seconds):
    """Measures what is not in `folder` yet, until the time is up; returns what there is."""
    folder.mkdir(parents=True, exist_ok=True)
    begin, todo, found = time.monotonic(), cells(), []
    bar = keras.utils.Progbar(len(todo))
    for i, cell in enumerate(todo):
        path = folder / f"{cell.name}.npz"
        if not path.exists() and time.monotonic() - begin < seconds:
            part = path.with_suffix(".part.npz")
            np.savez(part, **measure(cell, with_shapes=i % 6 < 2))
            part.rename(path)
        if path.exists():
            found.append(Measured(cell, dict(np.load(path))))
        bar.update(i + 1)
    return found


def _quantiles(per_cell):
    """Returns median, q90 and maximum with standard errors, as text; cells are resampled."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(1000):
        chosen = rng.integers(len(per_cell), size=len(per_cell))
        values = np.nan_to_num(np.concatenate([per_cell[i] for i in chosen]), nan=1.0)
        drawn.append(np.quantile(values, [0.5, 0.9]))
    values, errors = np.concatenate(per_cell), np.std(drawn, axis=0)
    none = f"{np.mean(np.isnan(values)):6.1%}"
    median, high, most = np.quantile(np.nan_to_num(values, nan=1.0), [0.5, 0.9, 1.0])
    return f"{median:.3f} ± {errors[0]:.3f}  {high:.3f} ± {errors[1]:.3f}  {most:6.2f}  {none}"


def tables(found):
    """Prints the regrets by rule, and those of the default rule by kind."""
    regrets = [one.regrets() for one in found]
    heading = f"{'median':15s}{'q90':15s}{'max':>6s}   none"
    for group in (TUNING, HELD_OUT):
        rows = [r for one, r in zip(found, regrets) if one.cell.group == group]
        print(f"\n{group}: {len(rows)} cells\n{'':26s}{heading}")
        for name in rows[0] if rows else ():
            print(f"{name:26s}{_quantiles([row[name] for row in rows])}")
    for kind in ("optimizer", "loss", "network", "data", "steps", "batch_size"):
        print(f"\n{SUGGESTED} by {kind}\n{'':26s}{heading}")
        for value in sorted({getattr(one.cell, kind) for one in found}):
            rows = [r for one, r in zip(found, regrets) if getattr(one.cell, kind) == value]
            print(f"{value!s:26s}{_quantiles([row[SUGGESTED] for row in rows])}  {len(rows)} cells")
    some = [one for one in found if one.has_shapes()]
    print(f"\nregret at parts of the best linear peak, {len(some)} cells: median, q90")
    for shape in ("constant", "stable") if some else ():
        for factor in (1.0, 0.7, 0.5, 0.35, 0.25, 0.18):
            told = np.quantile([one.regret_of_shape(shape, factor) for one in some], [0.5, 0.9])
            print(f"{shape:10s}{factor:5.2f}   {told[0]:.3f}  {told[1]:.3f}")
    edges = [one.cell.name for one in found if not one.interior]
    print(f"\nbest rate at the edge of its grid: {edges or 'nowhere'}")
    return regrets


def picture(found, regrets, path):
    """Draws which part of the held-out sweeps has a regret of at most so much, by rule."""
    from matplotlib.figure import Figure

    ax = Figure(figsize=(7, 4.5), layout="constrained").subplots()
    held_out = [r for one, r in zip(found, regrets) if one.cell.group == HELD_OUT]
    for name in held_out[0] if held_out else ():
        values = np.sort(np.concatenate([row[name] for row in held_out]))
        values = np.maximum(values[np.isfinite(values)], 1e-4)
        ax.step(values, (np.arange(len(values)) + 1) / len(values), label=name)
    ax.set(xscale="log", xlabel="regret", ylabel="part of the held-out sweeps", xlim=(1e-3, 2))
    ax.grid(True, alpha=0.3)
    ax.legend(fontsize="small")
    ax.figure.savefig(path, dpi=120)


def check(count):
    """Prints the suggestions of `range_test` itself beside those of the compiled loop."""
    for cell in cells()[:count]:
        runs, options = Runs(cell), {"batch_size": cell.batch_size, "repeats": REPEATS}
        curves = [sweep(runs, repeat) for repeat in range(REPEATS)]
        ours = RangeTest.of(mean_curve(curves), curves)
        print(cell.name, ours, range_test(cell.model(0), runs.x, runs.y, verbose=0, **options))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--check", type=int, default=0)
    args = parser.parse_args()
    if keras.config.backend() != "jax":
        raise SystemExit("Set KERAS_BACKEND=jax: the runs are compiled as one loop.")
    check(args.check)
    everything = measured(args.folder, 60 * args.minutes)
    picture(everything, tables(everything), args.folder / "regret.png")
