"""How often the verdict on training curves is right, on tasks it was not fitted to; and fits it.

Run `KERAS_BACKEND=jax python tests/benchmarks/diagnosis.py FOLDER --minutes M`. Sweeps that are not
in FOLDER yet are run, so that it can be stopped and goes on; on a core of its own the 252 written
ones are about forty minutes, the 500 drawn ones (`diagnosis_drawn.py`) five, and judging them all
ten. Then tables are printed: tasks left out in turn (all tasks on the same data together),
optimizers left out in turn, and what needs no fit: rules, and packages that others have published
(`diagnosis_packages.py`). `--baselines` prints the last alone, in minutes, over what has been run.
`--aside` judges the third of the tasks that nothing was tuned on, where no other task has their
data, by trees fitted to the others. `--write` fits the trees of the package to all tasks and writes
`keras_lr/diagnosis/verdict.json`.

A run is labelled by the others of its sweep (`diagnosis_labels.py`). Figures are over answered
runs, with the coverage beside them. "Near" is right where a run of the sweep within a factor 2.5
has the label. "Wrong way" is too small for a rate that is too large or diverged, or the reverse.
"After" is the regret of one who goes by the answers: × 2.15, ÷ 2.15 or ÷ 10 until "good", no answer
or a rate already seen. In sweeps whose best rate is at the edge no run is counted. A run is
doubtful where its label would be another with 1 % or 5 % in place of 3 %.
"""

import argparse
import functools
import pathlib
import time
from typing import NamedTuple

import numpy as np
from diagnosis_labels import Labels, labels_of
from diagnosis_packages import installed
from diagnosis_rules import RULES, ByRate
from diagnosis_runs import load, make
from diagnosis_scores import Answered, confusion_table, figures, table
from diagnosis_tasks import family
from diagnosis_training import CARE, VIEWS, Table, fit, left_out, temperature_of, text_of, unseen

import keras_lr.diagnosis.verdict as verdict
from keras_lr.files import write_atomically

_HISTORY, _INITIAL = "as a History", "with the loss before"
# Some packages are meant for what is logged every few updates.
_OF_BASELINES = {"": _HISTORY, ", loss before": _INITIAL, ", by update": "by update"}


class Labelled(NamedTuple):
    """A sweep and its labels: a `Table` without features, which take long to compute."""

    sweep: object
    labels: Labels

    @classmethod
    def of(cls, sweep, run):
        return cls(sweep, labels_of(run))


def tables_of(sweeps, folder, kind=Table):
    """Returns the `Table` of every sweep that has been run and whose best rate is inside."""
    found = [kind.of(s, load(s, folder)) for s in sweeps if s.path(folder).exists()]
    closed = [t for t in found if not t.labels.is_open]
    labels = np.concatenate([t.labels.labels for t in closed])
    counts = dict(zip(verdict.VERDICTS, np.bincount(labels, minlength=4).tolist()))
    doubtful = np.concatenate([t.labels.doubtful for t in closed]).mean()
    groups = len({t.sweep.group for t in closed})
    print(f"\n{len(closed)} sweeps on {groups} sets of data, {len(labels)} runs: {counts}")
    print(f"Best rate at the edge: {len(found) - len(closed)} sweeps. Doubtful: {doubtful:.3f}")
    return closed


def report(title, found, temperature):
    """Prints the figures of unseen runs, by view."""
    model = _Careful(CARE)
    found = [u.tempered(temperature) for u in found]
    print(f"\n{title}")
    rows = {}
    for view in VIEWS:
        answered = [u.answered(view, model) for u in found]
        rows[view], confusion = figures(answered)
        if view in (_HISTORY, _INITIAL):
            rows[f"{view}, firm"] = figures(answered, doubtful=False)[0]
            rows[f"{view}, doubtful"] = figures(answered, doubtful=True)[0]
        if view == _HISTORY:
            shown = confusion
    table(rows)
    print("\nSaid (columns) of what was so (rows), as a History:")
    confusion_table(shown)


class _Careful:
    """The package's way from probabilities to an answer, without its trees."""

    answer = verdict.Model.answer

    def __init__(self, care):
        self._care = care


def baselines(tables, folder):
    """Prints the figures of what is not fitted to curves."""
    rules = RULES | installed()
    answered = {name + ending: [] for ending in _OF_BASELINES for name in rules}
    for t in tables:
        run = load(t.sweep, folder)
        for ending, view in _OF_BASELINES.items():
            curves = [VIEWS[view](run, i) for i in range(len(run["loss"]))]
            for name, rule in rules.items():
                answers = np.array([rule(c) for c in curves])
                answered[name + ending].append(Answered(t.labels, answers))
    rows = {name: figures(found)[0] for name, found in answered.items()}
    every = np.concatenate([t.labels.labels for t in tables])
    common = int(np.bincount(every).argmax())
    constant = [Answered(t.labels, np.full(len(t.labels.labels), common)) for t in tables]
    rows[f"majority: {verdict.VERDICTS[common]}"] = figures(constant)[0]
    rows["the rate alone"] = figures([_by_rate(t, tables) for t in tables])[0]
    print("\nWithout a fit to curves")
    table(rows)


def _by_rate(t, tables):
    others = [o for o in tables if o.sweep.group != t.sweep.group]
    optimizers = [o.sweep.task.optimizer for o in others for _ in o.sweep.rates]
    rates = np.concatenate([o.sweep.rates for o in others])
    rule = ByRate(optimizers, rates, np.concatenate([o.labels.labels for o in others]))
    answers = [rule(t.sweep.task.optimizer, rate) for rate in t.sweep.rates]
    return Answered(t.labels, np.array(answers))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--aside", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    folder, sweeps = options.folder, family()
    if options.baselines:
        baselines(tables_of([s for s in sweeps if not s.is_aside], folder, Labelled), folder)
        return
    make(sweeps, folder, time.monotonic() + 60.0 * options.minutes)
    tables = tables_of([s for s in sweeps if not s.is_aside], folder)
    runs = functools.partial(load, folder=folder)
    found = left_out(tables, runs, lambda sweep: sweep.group)
    temperature = temperature_of(found)
    print(f"temperature {temperature}")
    report("Tasks left out", found, temperature)
    optimizers = left_out(tables, runs, lambda sweep: sweep.task.optimizer)
    report("Optimizers left out", optimizers, temperature)
    baselines(tables, folder)
    if options.aside or options.write:
        aside = tables_of([s for s in sweeps if s.is_aside], folder)
    if options.aside:
        data = fit(tables)
        known = {t.sweep.group for t in tables}
        new = [unseen(t, runs(t.sweep), data) for t in aside if t.sweep.group not in known]
        report(f"Kept aside, on data of their own: {len(new)} sweeps", new, temperature)
    if options.write:
        data = fit(tables + aside) | {"temperature": temperature}
        path = pathlib.Path(verdict.__file__).with_name("verdict.json")
        write_atomically(path, text_of(data))
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
