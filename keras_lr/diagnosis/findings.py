"""`Finding`: a fact about a run or a plan, with its evidence in numbers and what to do."""

from dataclasses import dataclass

from keras_lr import checks

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """A fact about a run or a plan.

    `name` says which fact it is, the same in every run; `severity` is "error" (it cannot work),
    "warning" (it will not do what was meant) or "note". `evidence` has the numbers that it rests
    on, by name. `meaning` says what it is, `advice` what to do.

    >>> finding = Finding("min_lr", "warning", {"min_lr": 0.1}, "Nothing is cut.", "Lower min_lr.")
    >>> print(finding)
    Nothing is cut. Lower min_lr.
    """

    name: str
    severity: str
    evidence: dict
    meaning: str
    advice: str = ""

    def __post_init__(self):
        checks.Choice(SEVERITIES)("severity", self.severity)

    def __str__(self):
        return " ".join(filter(None, (self.meaning, self.advice)))

    def to_dict(self):
        """Returns everything, ready for JSON."""
        return {**vars(self), "evidence": dict(self.evidence)}
