"""How good answers are: over runs whose labels are known, and over what following them leads to."""

import dataclasses

import numpy as np

from keras_lr.diagnosis.verdict import VERDICTS

_SMALL, _GOOD, _LARGE, _DIVERGED = range(len(VERDICTS))
# Rates in a sweep are a factor 2.15 apart: neighbours are within 2.5, and ten is three of them.
_NEAR = 1
_MOVES = {_SMALL: 1, _LARGE: -1, _DIVERGED: -3}
_MOST_RUNS = 12


@dataclasses.dataclass(frozen=True)
class Answered:
    """The answers to the runs of one sweep: indices of `VERDICTS`, −1 where undetermined."""

    labels: object
    answers: np.ndarray
    probabilities: np.ndarray | None = None

    def near(self):
        """Tells of each answer whether the run or one beside it in the sweep has that label."""
        labels = np.pad(self.labels.labels, _NEAR, mode="edge")
        beside = np.stack([labels[i : i + len(self.answers)] for i in range(2 * _NEAR + 1)])
        return (beside == self.answers).any(0)

    def followed(self):
        """Returns the regrets at which one ends who follows the answers, from every run."""
        return self.labels.regrets[[self._end(i) for i in range(len(self.answers))]]

    def _end(self, i):
        seen = []
        while i not in seen and len(seen) < _MOST_RUNS:
            seen.append(i)
            i += _MOVES.get(int(self.answers[i]), 0)
            i = min(max(i, 0), len(self.answers) - 1)
        # Who comes back to a rate has seen both, and takes the better.
        circle = seen[seen.index(i) :] if i in seen else [i]
        return min(circle, key=lambda k: self.labels.regrets[k])


def figures(sweeps, doubtful=None):
    """Returns the figures of the issue over the runs of some `Answered`, and the confusion matrix.

    Runs that are doubtful, or those that are not, are left out where `doubtful` is False or True.
    """
    keep = [
        np.full(len(s.answers), True) if doubtful is None else s.labels.doubtful == doubtful
        for s in sweeps
    ]
    labels, answers, near = (
        np.concatenate([part[k] for part, k in zip(parts, keep)])
        for parts in (
            [s.labels.labels for s in sweeps],
            [s.answers for s in sweeps],
            [s.near() for s in sweeps],
        )
    )
    said = answers >= 0
    confusion = np.zeros((4, 4), int)
    np.add.at(confusion, (labels[said], answers[said]), 1)
    up, good = labels >= _LARGE, labels == _GOOD
    wrong = (up & (answers == _SMALL)) | ((labels == _SMALL) & (answers >= _LARGE))
    found = {
        "runs": len(labels),
        "coverage": said.mean(),
        "strict": np.mean((answers == labels)[said]),
        "near": np.mean(near[said]),
        "wrong way": np.mean(wrong[said]),
        "false alarms": np.mean((answers != _GOOD)[said & good]),
        "macro-F1": _macro_f1(confusion),
    }
    if sweeps[0].probabilities is not None:
        p = np.concatenate([s.probabilities[k] for s, k in zip(sweeps, keep)])
        claimed = p[said, answers[said]]
        found["ECE"] = calibration_error(claimed, (answers == labels)[said])
    if doubtful is None:
        before = np.concatenate([s.labels.regrets for s in sweeps])
        after = np.concatenate([s.followed() for s in sweeps])
        found |= {"regret": np.median(before), "after": np.median(after)}
        found |= {"mean regret": before.mean(), "mean after": after.mean()}
    return found, confusion


def _macro_f1(confusion):
    both = confusion.sum(0) + confusion.sum(1)
    return np.mean(2.0 * np.diag(confusion) / np.maximum(both, 1))


def calibration_error(claimed, right, bins=10):
    """Returns the mean distance of the claimed probability from the share that was right.

    >>> calibration_error(np.array([0.9, 0.9]), np.array([True, False])).round(3)
    np.float64(0.4)
    """
    at = np.minimum((claimed * bins).astype(int), bins - 1)
    distances = [
        abs(right[at == k].mean() - claimed[at == k].mean()) * np.mean(at == k)
        for k in np.unique(at)
    ]
    return np.sum(distances)


def table(rows):
    """Prints figures by name."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    width = max(map(len, rows)) + 2
    print("".ljust(width) + "".join(name.rjust(13) for name in names))
    for title, row in rows.items():
        shown = (_shown(row.get(name)) for name in names)
        print(title.ljust(width) + "".join(text.rjust(13) for text in shown))


def _shown(value):
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def confusion_table(confusion):
    """Prints what was said (columns) of what was so (rows)."""
    print("".ljust(12) + "".join(name.rjust(12) for name in VERDICTS))
    for name, row in zip(VERDICTS, confusion):
        print(name.ljust(12) + "".join(str(count).rjust(12) for count in row))
