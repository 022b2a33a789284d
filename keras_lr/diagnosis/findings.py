"""`Finding`: a fact about a run or a plan, with its evidence in numbers and what to do."""

import textwrap
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


class Findings(list):
    """A list of `Finding` that is printed as a report.

    >>> Findings()
    Nothing found.
    >>> Findings([Finding("min_lr", "warning", {"min_lr": 0.1}, "Nothing is cut.", "Lower it.")])
    warning: min_lr
      Nothing is cut.
      Evidence: min_lr = 0.1
      → Lower it.
    """

    def __repr__(self):
        return "\n".join(map(_paragraph, self)) or "Nothing found."


def _paragraph(finding):
    lines = [f"{finding.severity}: {finding.name}", *_wrapped("", finding.meaning)]
    shown = [f"{name} = {_shown(value)}" for name, value in finding.evidence.items()]
    if shown:
        lines += _wrapped("Evidence: ", ", ".join(shown))
    if finding.advice:
        lines += _wrapped("→ ", finding.advice)
    return "\n".join(lines)


def _wrapped(label, text):
    indents = {"initial_indent": f"  {label}", "subsequent_indent": " " * (2 + len(label))}
    return textwrap.wrap(text, 96, break_long_words=False, break_on_hyphens=False, **indents)


def _shown(value):
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    if value is None:
        return "not known"
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:.6g}" if is_number else str(value)
