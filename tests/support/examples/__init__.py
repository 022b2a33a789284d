"""The example schedules: every law of the tests runs on each, and the gallery draws them.

Beside each stands its oracle, the rate at one step in plain Python.
"""

import dataclasses

from support.examples.closed_forms import CLOSED_FORMS
from support.examples.compositions import COMPOSITIONS
from support.examples.cycles import CYCLES

from keras_lr.schedules import Schedule


@dataclasses.dataclass(frozen=True)
class Example:
    """A schedule, its rate at a step t in plain Python, and the updates worth looking at."""

    title: str
    schedule: Schedule
    oracle: object
    total_steps: int = 100

    @property
    def steps(self):
        end = self.total_steps
        return [0, 1, end - 1, end, end + 1, 10 * end, 2**24 + 1]

    @property
    def peak(self):
        return max(abs(self.oracle(t)) for t in [*range(self.total_steps + 2), *self.steps])


SCHEDULES = [Example(*row) for row in (*CLOSED_FORMS, *CYCLES, *COMPOSITIONS)]
