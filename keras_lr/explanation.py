"""`diagnose`: what was wrong with the rate of a run, on what evidence, and what to do."""

import math
from dataclasses import dataclass, field

import numpy as np

from keras_lr.diagnosis import curve_rules
from keras_lr.diagnosis.findings import Findings
from keras_lr.diagnosis.reading import curves_of
from keras_lr.diagnosis.run_curves import RunCurves
from keras_lr.diagnosis.verdict import verdict

# For each verdict: what it means, what to do, and what to multiply the rate by for the next run.
_SAYS = {
    "too small": (
        "A higher rate would have come to a lower loss in this time.",
        "Try about two or three times the rate.",
        2.5,
    ),
    "good": (
        "No rate is seen to be much better for a run of this length.",
        "Leave the rate as it is.",
        1.0,
    ),
    "too large": (
        "A lower rate would have come to a lower loss in this time.",
        "Try about a third to half of the rate.",
        0.4,
    ),
    "diverged": (
        "The steps were so large that the training broke.",
        "Try a tenth of the rate.",
        0.1,
    ),
    "undetermined": (
        "The curves do not say whether the rate was right.",
        "Give model=, x= and y=, for an experiment; validation data, or a longer run.",
        None,
    ),
}


def diagnose(history, *, initial=None, unit="epoch"):
    """Returns what was wrong with the learning rate of a run, as a `Diagnosis`.

    Only how losses change counts: multiplied by a number above 0, or all higher or lower, they
    have the same diagnosis.

    Args:
        history: a `History` or its dictionary, the path of a `CSVLogger`'s file, a
            `LearningRateRecorder` or `DiagnoseLearningRate`, or a list of losses. Read are `loss`,
            and where they are there `val_loss`, `learning_rate` (or `lr`) and `initial_loss`.
        initial: the loss before training, which a History lacks and which says much: that of the
            first batch, or of `model.evaluate` before `fit`. `DiagnoseLearningRate` logs it.
        unit: "epoch" or "update", what there is one entry for.

    The longer the run and the more is logged, the surer the verdict; below 5 points it is
    "undetermined". Time is linear in the number of points, of which a list may have a million and
    NumPy arrays any number.

    >>> from keras_lr import diagnose
    >>> found = diagnose({"loss": [2.3, 1.1, 3.0, 9.5, 80.0, float("nan"), float("nan")]})
    >>> found.verdict, found.findings[0].name, found.findings[0].evidence["epoch"]
    ('diverged', 'nan', 6)

    Raises ValueError for a history without a `loss`, for columns of unequal length, for epochs that
    are not those of one fit, and for files that are damaged.
    """
    curves = curves_of(history, initial, unit)
    findings = Findings(curve_rules.find(curves))
    word, chances = verdict(curves)
    if any(finding.name == "not a loss" for finding in findings):
        word = "undetermined"
    return Diagnosis(word, chances, findings, _evidence(curves), curves)


def _evidence(curves):
    """Returns the numbers that a reader looks at first."""
    loss = curves.loss[np.isfinite(curves.loss)]
    evidence = {f"{curves.unit}s": len(curves.loss), "initial loss": curves.initial}
    if len(loss):
        evidence |= {"first loss": float(loss[0]), "best loss": float(np.min(loss))}
    evidence["last loss"] = float(curves.loss[-1])
    if curves.val_loss is not None:
        val = curves.val_loss[np.isfinite(curves.val_loss)]
        if len(val):
            evidence |= {"best val_loss": float(np.min(val)), "last val_loss": float(val[-1])}
    if curves.rate is not None:
        evidence |= {
            "peak rate": float(np.max(curves.rate)),
            "last rate": float(curves.rate[-1]),
        }
    return evidence


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What `diagnose` found; `print(diagnosis)` is the report.

    `verdict` is "too small", "good", "too large", "diverged" or "undetermined", and
    `probabilities` has how likely each of the first four is. `findings` are what else was seen,
    each with a name, its evidence in numbers, a meaning and what to do; `evidence` are the numbers
    of the run itself, None where one is not known, and `curves` the curves that were read.
    """

    verdict: str
    probabilities: dict
    findings: Findings
    evidence: dict
    curves: RunCurves = field(repr=False)

    @property
    def meaning(self):
        """What the verdict means, in a sentence."""
        return _SAYS[self.verdict][0]

    @property
    def advice(self):
        """What to do about the rate."""
        return _SAYS[self.verdict][1]

    @property
    def factor(self):
        """What to multiply the rate by in the next run, roughly; None where that is not known."""
        return _SAYS[self.verdict][2]

    def report(self):
        """Returns the diagnosis as text, for a terminal."""
        chances = ", ".join(f"{word} {p:.0%}" for word, p in self.probabilities.items())
        numbers = ", ".join(f"{k} {v:.4g}" for k, v in self.evidence.items() if v is not None)
        lines = [f"The learning rate: {self.verdict}. {self.meaning}", f"  → {self.advice}"]
        lines += [f"  Probabilities: {chances}", f"  The run: {numbers}"]
        return "\n".join([*lines, repr(self.findings)] if self.findings else lines)

    __str__ = report

    def to_dict(self):
        """Returns everything but the curves, ready for JSON: what is no number is null there.

        >>> import json
        >>> found = diagnose({"loss": [3.0, 2.0, float("nan")]})
        >>> json.loads(json.dumps(found.to_dict(), allow_nan=False))["evidence"]["last loss"]
        """
        return _as_json(
            {
                "verdict": self.verdict,
                "meaning": self.meaning,
                "advice": self.advice,
                "factor": self.factor,
                "probabilities": self.probabilities,
                "evidence": self.evidence,
                "findings": [finding.to_dict() for finding in self.findings],
            }
        )

    def plot(self, ax=None):
        """Draws the curves with the evidence on them; returns the axes (needs the extra `plot`)."""
        from keras_lr import plotting

        return plotting.plot_diagnosis(self, ax)


def _as_json(value):
    if isinstance(value, dict):
        return {name: _as_json(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
