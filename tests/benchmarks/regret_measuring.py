"""What is measured of a task: a grid of peak rates, and the runs of all strategies; kept in files.

`….fixed.json` has what our rules have no part in, the grid and Keras' default rates, and
`….ours.json` the rest: after a change of the rules delete the second ones only.
"""

import dataclasses
import json
import math
import time
import traceback

import jax
import keras
import numpy as np
from regret_runs import Runs, linear_to_zero
from regret_strategies import Strategies

LENGTHS = {"300": 300, "1,000": 1000, "5,000": 5000}
# One pass over data as long as that, where the data can be made.
FRESH, _FRESH_UPDATES = "one epoch of 500", 500
_NOISY = "heavy-tailed targets", "noisy labels", "class weights", "tiny batches", "focal loss"
_SEEDS = 6
_KINDS = "fixed", "ours"
# Compiled programs are forgotten after so many jobs.
_CLEARED = 5
# Rates are 10 to the power of so many eighths.
_COARSE, _FINER = range(-40, 9, 4), (2, 1)


@dataclasses.dataclass(frozen=True)
class Job:
    """What is measured at one go: a task from one seed, at all lengths or on fresh data."""

    task: object
    seed: int
    is_fresh: bool

    @classmethod
    def all_of(cls, tasks):
        """Returns the jobs, those first that are cheap or needed first."""
        jobs = [
            cls(task, seed, is_fresh)
            for seed in range(_SEEDS)
            for is_fresh in (False, True)
            for task in tasks
            if seed == 0 or task.kind in _NOISY
        ]
        return sorted(jobs, key=lambda job: (job.seed, not job.task.in_loop))

    def path(self, folder, kind):
        what = "fresh" if self.is_fresh else "lengths"
        return folder / f"{self.task.name}.{self.seed}.{what}.{kind}.json"

    def measure(self, folder, kinds):
        task, lengths = self.task, LENGTHS
        if self.is_fresh:
            task, lengths = _longer(task), {FRESH: _FRESH_UPDATES}
        results = {kind: {} for kind in kinds}
        if task is not None:
            runs = Runs(task)
            strategies = Strategies(runs, self.seed)
            for name, length in lengths.items():
                epochs = max(length // runs.updates_per_epoch, 1)
                for kind in kinds:
                    results[kind][name] = _measured(kind, runs, self.seed, epochs, strategies)
        for kind, result in results.items():
            path = self.path(folder, kind)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(result))
            part.replace(path)

    def found(self, folder):
        """Returns what there is, by length; nothing as long as a part is missing."""
        paths = [self.path(folder, kind) for kind in _KINDS]
        if not all(path.exists() for path in paths):
            return {}
        fixed, ours = (json.loads(path.read_text()) for path in paths)
        for name, length in fixed.items():
            length["strategies"] |= ours[name]["strategies"]
        return fixed


def measure(tasks, folder, seconds):
    """Measures what is not in `folder` yet, until the time is up."""
    folder.mkdir(parents=True, exist_ok=True)
    begin, jobs = time.monotonic(), Job.all_of(tasks)
    for number, job in enumerate(jobs):
        missing = [kind for kind in _KINDS if not job.path(folder, kind).exists()]
        if not missing:
            continue
        if time.monotonic() - begin > seconds:
            print(f"Time is up: {len(jobs) - number} of {len(jobs)} jobs are left.", flush=True)
            return
        job.measure(folder, missing)
        keras.backend.clear_session()
        if number % _CLEARED == 0:
            jax.clear_caches()
        took, fresh = time.monotonic() - begin, ", fresh data" if job.is_fresh else ""
        place = f"{number + 1}/{len(jobs)} {took:5.0f} s"
        print(f"{place}  {job.task.name}, seed {job.seed}{fresh}", flush=True)


def found(tasks, folder):
    """Returns what there is of each task: what was found from each seed, by length."""
    result = {}
    for job in Job.all_of(tasks):
        there = job.found(folder)
        if there:
            result.setdefault(job.task, []).append(there)
    return result


def grid(runs, seed, updates):
    """Returns (rate, final loss on test rows) of runs linear to zero, infinite if one broke.

    Rates are half a decade apart, and at last an eighth around the best.
    """
    losses = {}

    def add(eighths):
        if eighths not in losses:
            rates = linear_to_zero(10.0 ** (eighths / 8), updates)
            loss = runs.loss(runs.train(runs.begin(seed), rates, seed)[0])
            losses[eighths] = loss if math.isfinite(loss) else math.inf

    for eighths in _COARSE:
        add(eighths)
    for step in _FINER:
        best = min(losses, key=losses.get)
        add(best - step)
        add(best + step)
    return [(10.0 ** (eighths / 8), losses[eighths]) for eighths in sorted(losses)]


def best(length):
    """Returns the best rate of the grid and its loss."""
    return min(length["grid"], key=lambda pair: pair[1])


def _measured(kind, runs, seed, epochs, strategies):
    if kind == "ours":
        return {"strategies": _tried(strategies.ours(epochs))}
    updates = epochs * runs.updates_per_epoch
    initial = [runs.loss(runs.begin(seed)), runs.task.constant_loss()]
    initial = min(loss for loss in initial if math.isfinite(loss))
    told = {"updates": updates, "epochs": epochs, "initial": initial}
    told["grid"] = grid(runs, seed, updates)
    return told | {"strategies": _tried(strategies.fixed(epochs))}


def _tried(functions):
    entries = {}
    for name, function in functions.items():
        try:
            entries[name] = function()
        except Exception as error:  # It counts as a regret of 1, and the others go on.
            traceback.print_exc()
            entries[name] = {"rate": None, "error": repr(error)}
    return entries


def _longer(task):
    """Returns the task with enough rows for one long epoch; None where there are not so many."""
    longer = dataclasses.replace(task, rows=_FRESH_UPDATES * task.batch_size)
    rows = jax.tree.leaves(longer.parts()[0][0])[0].shape[0]
    return longer if rows == longer.rows else None


def regret(entry, length):
    """Returns the regret of a strategy's final loss, and of its best epoch's (NaN without a run).

    Between rates of the grid the regret is interpolated, over the logarithm of the rate.
    """
    lowest = best(length)[1]
    worth = length["initial"] - lowest

    def of(loss):
        if loss is None or not math.isfinite(loss):
            return 1.0
        if worth <= 0:
            return float(loss > length["initial"])
        return min((loss - lowest) / worth, 1.0)

    if entry["rate"] is None:
        return 1.0, 1.0
    if "final" in entry:
        return of(entry["final"]), of(entry["kept"])
    rates, losses = np.array(length["grid"]).T
    levels = [of(loss) for loss in losses]
    return float(np.interp(math.log(entry["rate"]), np.log(rates), levels)), math.nan
