"""`Plan`: what is known of a run before it, or after its first epoch, as plain values."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CallbackPlan:
    """One callback of the run, ours or not.

    `owner` is what messages call it, `place` where it is listed: two entries of one object have
    the same `identity`. `writes_rate` tells that it changes the rate, `sets_base` that it names
    absolute ones, `logs_rate` that it is there to log the rate, `reads_logs` that it writes the
    logs of an epoch somewhere. `lower_limit` is the rate below which it makes no cut.
    `depends_on_length` tells that a longer epoch would make another schedule of it. `targets` stand
    for the optimizers that it drives.
    """

    kind: str
    owner: str
    identity: int
    is_ours: bool = False
    writes_rate: bool = False
    sets_base: bool = False
    logs_rate: bool = False
    reads_logs: bool = False
    lower_limit: float | None = None
    depends_on_length: bool = False
    targets: frozenset = frozenset({0})


@dataclass(frozen=True)
class OptimizerPlan:
    """One optimizer of the run. Lengths and counts are in the steps that its schedule is given.

    `schedule_length` is None for a number, and for a schedule that has no end or whose place a
    callback takes. `highest_to_come` is the highest rate of the coming updates as things stand, at
    multiplier 1; None where callbacks will decide it.
    """

    name: str
    has_schedule: bool
    schedule_length: float | None = None
    steps_counted: int = 0
    schedule_peak: float | None = None
    highest_to_come: float | None = None
    highest_in_step: float | None = None


@dataclass(frozen=True)
class Plan:
    """A run: its callbacks in their order, its optimizers, and its length as planned and made."""

    callbacks: tuple = ()
    optimizers: tuple = ()
    steps_per_epoch: float | None = None
    epoch: int | None = None
    made_in_epoch: int | None = None
