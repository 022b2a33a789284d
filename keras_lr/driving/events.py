"""What happened to the learning rate, when, by whom and why."""

from typing import NamedTuple


class Event(NamedTuple):
    """One change that a callback made, effective from `update` on (None in a replay)."""

    epoch: int
    update: int
    callback: str
    optimizer: str
    before: float
    after: float
    reason: str

    def __str__(self):
        when = "" if self.update is None else f", update {self.update}"
        return (
            f"epoch {self.epoch + 1}{when}: {self.callback} "
            f"{self.before:.4g} -> {self.after:.4g} ({self.reason})"
        )
