"""What `diagnose` gains by an experiment, on runs of tasks that its trees were not fitted to.

Run `KERAS_BACKEND=jax python tests/benchmarks/diagnosis_experiment.py FOLDER`, where FOLDER has the
sweeps of `diagnosis.py`. A part of the written tasks is left out of the fit, or with `--aside` all
that are kept aside. Of each of their sweeps some runs are diagnosed, by the curves alone as a
History with its rate, and with the model and an experiment of `--budget` updates. What is diagnosed
is kept in FOLDER, so that it can be stopped and goes on. Where a sweep was made from seed 1, the
fresh copy has the first weights of its runs; in the others, two of three, it has new ones. On a
core of its own a run takes about four seconds.
"""

import argparse
import json
import pathlib
import time

import keras
import numpy as np
from diagnosis import tables_of
from diagnosis_drawn import Drawn
from diagnosis_runs import load
from diagnosis_scores import Answered, figures, table
from diagnosis_tasks import family
from diagnosis_training import fit

import keras_lr.diagnosis.verdict as verdict
from keras_lr import diagnose
from keras_lr.files import write_atomically

_RUNS, _FOLDS = 4, 4


def chosen(tables, is_aside):
    """Returns the tables to fit to, and those of written tasks with other data to be judged."""
    known = [t for t in tables if not t.sweep.is_aside]
    groups = sorted({t.sweep.group for t in known})
    fold = dict(zip(groups, np.random.default_rng(1).permutation(len(groups)) % _FOLDS))
    if is_aside:
        fitted, judged = known, [t for t in tables if t.sweep.is_aside]
    else:
        fitted = [t for t in known if fold[t.sweep.group]]
        judged = [t for t in known if not fold[t.sweep.group]]
    seen = {t.sweep.group for t in fitted}
    return fitted, [t for t in judged if t.sweep.group not in seen and _can_be_tried(t.sweep)]


def _can_be_tried(sweep):
    # `diagnose` takes no sample weights; drawn tasks have no Keras model.
    return not isinstance(sweep.task, Drawn) and sweep.task.parts()[0][2] is None


def diagnosed(sweep, run, i, budget):
    """Returns what is said of run `i` by its curves, and with an experiment."""
    (x, y, _), (x_val, y_val, _), _ = sweep.task.parts()
    history = {name: run[name][i].astype("float64") for name in ("loss", "val_loss")}
    history["learning_rate"] = run["rate"][i].astype("float64")
    told = {"x": x, "y": y, "validation_data": (x_val, y_val), "seed": 1, "verbose": 0}
    told |= {"batch_size": sweep.task.batch_size, "budget": budget}
    found = diagnose(history, model=lambda: sweep.task.model(1), **told)
    return {
        "sweep": sweep.name, "run": i, "by_curves": found.by_curves, "verdict": found.verdict,
        "chances": diagnose(history).probabilities, "experiment": found.experiment._asdict(),
    }  # fmt: skip


def answered(tables, rows, which):
    """Returns `Answered` for the sweeps of some rows; runs without a row have no answer."""
    found = []
    for t in tables:
        answers = np.full(len(t.labels.labels), -1)
        for row in rows:
            if row["sweep"] == t.sweep.name and row[which] in verdict.VERDICTS:
                answers[row["run"]] = verdict.VERDICTS.index(row[which])
        found.append(Answered(t.labels, answers))
    return found


def report(tables, rows):
    """Prints the figures of the curves alone and with the experiment, on the same runs."""
    shown = {}
    for title, which in (("curves alone", "by_curves"), ("with the experiment", "verdict")):
        # Of runs that were diagnosed; following advice to others is not known.
        names = "strict", "near", "wrong way", "false alarms", "macro-F1"
        result, _ = figures(answered(tables, rows, which))
        covered = np.mean([row[which] in verdict.VERDICTS for row in rows])
        shown[title] = {"runs": len(rows), "coverage": covered}
        shown[title] |= {name: result[name] for name in names}
    table(shown)
    updates = np.median([row["experiment"]["updates"] for row in rows])
    without = np.mean([not row["experiment"]["scores"] for row in rows])
    print(
        f"Updates: {updates:.0f} in the median; without runs, as the sweep said it: {without:.2f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--aside", action="store_true")
    parser.add_argument("--budget", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    folder, until = options.folder, time.monotonic() + 60.0 * options.minutes
    tables = tables_of([s for s in family() if s.is_aside <= options.aside], folder)
    fitted, judged = chosen(tables, options.aside)
    trees = verdict.Model(fit(fitted))
    verdict.model = lambda: trees
    path = folder / f"experiment-{'aside' if options.aside else 'left_out'}-{options.budget}.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    done = {(row["sweep"], row["run"]) for row in rows}
    for t in judged:
        runs = np.random.default_rng(t.sweep.seed).permutation(len(t.labels.labels))[:_RUNS]
        run = load(t.sweep, folder)
        for i in sorted(map(int, runs)):
            if (t.sweep.name, i) not in done and time.monotonic() < until:
                rows.append(diagnosed(t.sweep, run, i, options.budget))
                write_atomically(path, json.dumps(rows))
        keras.backend.clear_session()
        print(f"{len(rows)} runs, {t.sweep.name}", flush=True)
    report(judged, rows)


if __name__ == "__main__":
    if keras.config.backend() != "jax":
        raise SystemExit("Set KERAS_BACKEND=jax: the tasks are JAX's.")
    main()
