"""Fits the trees that read training curves, and writes them as the package's data."""

import dataclasses
import functools
import hashlib
import json

import numpy as np
from diagnosis_labels import Labels, labels_of
from diagnosis_scores import Answered
from diagnosis_views import by_update, history, varied
from sklearn.ensemble import HistGradientBoostingClassifier

from keras_lr.diagnosis.features import features
from keras_lr.diagnosis.run_curves import RunCurves
from keras_lr.diagnosis.verdict import FEWEST, FINE, Model, grouped, judged, softmax

# How careful answers are: chosen on the tasks that are not kept aside.
CARE = {
    "worth of the very label": 1.0, "cost of an alarm": 4.0, "cost of the opposite": 8.0,
    "least worth": 0.64,
}  # fmt: skip
_TREES = {
    "max_iter": 200, "learning_rate": 0.06, "max_leaf_nodes": 12, "min_samples_leaf": 80,
    "l2_regularization": 10.0, "max_features": 0.3, "random_state": 0,
}  # fmt: skip
# Runs whose label is doubtful teach less.
_WORTH_OF_DOUBTFUL = 0.5

VIEWS = {
    "as a History": history,
    "with the loss before": functools.partial(history, initial=True),
    "with the rate": functools.partial(history, rate=True),
    "without validation": functools.partial(history, val=False),
    "by update": lambda run, i: by_update(run, i, every=max(run["updates"].shape[1] // 200, 1)),
    "first 50 %": functools.partial(history, part=0.50),
    "first 25 %": functools.partial(history, part=0.25),
    "first 10 %": functools.partial(history, part=0.10),
}


@dataclasses.dataclass(frozen=True)
class Table:
    """A sweep as the trees see it: features of its runs as they may be logged, and its labels."""

    sweep: object
    labels: Labels
    rows: np.ndarray
    run_of_row: np.ndarray

    @classmethod
    def of(cls, sweep, run):
        rng = np.random.default_rng(int(hashlib.md5(sweep.name.encode()).hexdigest()[:8], 16))
        views = [(i, view) for i in range(len(run["loss"])) for view in varied(run, i, rng)]
        views = [(i, view) for i, view in views if np.isfinite(view.loss[-1])]
        rows = [list(features(view).values()) for _, view in views]
        return cls(sweep, labels_of(run), np.array(rows), np.array([i for i, _ in views]))

    @property
    def classes(self):
        """The index in `FINE` of each run."""
        labels = self.labels.labels
        good, runs = np.flatnonzero(labels == 1), np.arange(len(labels))
        beside = np.abs(runs[:, None] - good).min(1) <= 1
        small, large, diverged = (labels == k for k in (0, 2, 3))
        chosen = [small & ~beside, small, labels == 1, large & beside, large, diverged]
        return np.select(chosen, range(len(FINE)))


def fit(tables):
    """Returns the content of the data file, but for the temperature."""
    rows = np.concatenate([t.rows for t in tables])
    classes = np.concatenate([t.classes[t.run_of_row] for t in tables])
    doubtful = np.concatenate([t.labels.doubtful[t.run_of_row] for t in tables])
    forest = HistGradientBoostingClassifier(**_TREES)
    forest.fit(rows, classes, sample_weight=np.where(doubtful, _WORTH_OF_DOUBTFUL, 1.0))
    return {
        "features": _names(),
        "start": [round(float(v), 4) for v in forest._baseline_prediction.ravel()],
        "rounds": [[_nested(tree.nodes) for tree in trees] for trees in forest._predictors],
        "temperature": 1.0,
        "care": CARE,
    }


@functools.lru_cache(1)
def _names():
    return list(features(RunCurves(np.arange(9.0))))


def _nested(nodes, at=0):
    node = nodes[at]
    if node["is_leaf"]:
        return float(f"{node['value']:.3g}")
    sides = (_nested(nodes, int(node[side])) for side in ("left", "right"))
    # Rounded, so that the file is small; figures are those of the rounded trees.
    threshold = float(f"{node['num_threshold']:.4g}")
    return [int(node["feature_idx"]), threshold, int(node["missing_go_to_left"]), *sides]


def text_of(data):
    """Returns the data file: JSON with a tree a line."""
    head = {name: value for name, value in data.items() if name != "rounds"}
    trees = ",\n\n".join(
        "[" + ",\n".join(json.dumps(tree, separators=(",", ":")) for tree in trees) + "]"
        for trees in data["rounds"]
    )
    return json.dumps(head, indent=1)[:-2] + ',\n "rounds": [\n' + trees + "\n]}\n"


# What the trees say of tasks that they were not fitted to


@dataclasses.dataclass(frozen=True)
class Unseen:
    """The probabilities of `FINE` for the runs of a sweep, by view, from trees without its task."""

    table: Table
    fine: dict
    short: dict

    def answered(self, view, model):
        fine = self.fine[view]
        answers = np.array([model.answer(p) for p in fine])
        # A loss that is no number is a certain answer, and a short run has none.
        answers = np.where(self.short[view], -1, answers)
        return Answered(self.table.labels, answers, np.stack([grouped(p) for p in fine]))

    def tempered(self, temperature):
        sums = {view: np.log(np.maximum(p, 1e-12)) for view, p in self.fine.items()}
        fine = {view: softmax(sum_ / temperature) for view, sum_ in sums.items()}
        return dataclasses.replace(self, fine=fine)


def unseen(table, run, data):
    """Returns what trees say of the runs of a sweep, by view."""
    model, fine, short = Model(data), {}, {}
    for name, view in VIEWS.items():
        curves = [view(run, i) for i in range(len(run["loss"]))]
        fine[name] = np.stack([judged(c, model)[1] for c in curves])
        finite = np.array([np.isfinite(c.loss).sum() for c in curves])
        short[name] = (finite < FEWEST) & np.array([np.isfinite(c.loss[-1]) for c in curves])
    return Unseen(table, fine, short)


def left_out(tables, runs, key, folds=6):
    """Returns `Unseen` for all sweeps; those with one `key` are left out together."""
    keys = sorted({key(t.sweep) for t in tables})
    fold = dict(zip(keys, np.random.default_rng(0).permutation(len(keys)) % folds))
    found = []
    for number in range(min(folds, len(keys))):
        data = fit([t for t in tables if fold[key(t.sweep)] != number])
        found += [unseen(t, runs(t.sweep), data) for t in tables if fold[key(t.sweep)] == number]
        print(f"left out {number + 1}", flush=True)
    return found


def temperature_of(found, views=("as a History", "with the loss before", "by update")):
    """Returns the temperature at which the probabilities of unseen runs are likeliest."""

    def surprise(temperature):
        total = []
        for u in found:
            hot = u.tempered(temperature).fine
            for view in views:
                right = hot[view][np.arange(len(u.table.classes)), u.table.classes]
                total.append(-np.log(np.maximum(right, 1e-4)).mean())
        return np.mean(total)

    return float(min(np.arange(0.7, 2.5, 0.1), key=surprise).round(2))
