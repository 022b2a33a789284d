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

    `monitor` is the metric without which it does nothing; `adds_metrics` tells that it may put
    others into the logs. After `patience` evaluations without an improvement, `start` evaluations
    left aside, it cuts, or `ends` the training. `restores_weights` tells that it puts weights alone
    back at the end of an epoch, `restores_all` the optimizer with them, `swaps_weights` that they
    are averages from there until the next epoch. A callback that `saves` does so at the end of
    every epoch, a backup to go on from it; one that `is_kept` has a file of its own beside that.
    `searches` is the number of updates that it makes before the first one of the fit. `refusal` is
    why it cannot be in this fit.
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
    monitor: str | None = None
    adds_metrics: bool = False
    patience: int | None = None
    start: int = 0
    ends: bool = False
    restores_weights: bool = False
    restores_all: bool = False
    swaps_weights: bool = False
    saves: bool = False
    is_backup: bool = False
    is_kept: bool = False
    searches: int = 0
    refusal: str | None = None


@dataclass(frozen=True)
class OptimizerPlan:
    """One optimizer of the run. Lengths and counts are in the steps that its schedule is given.

    `schedule_length` is None for a number, and for a schedule that has no end or whose place a
    callback takes. `highest_to_come` is the highest rate of the coming updates as things stand, at
    multiplier 1; None where callbacks will decide it. `assigned_lr` was assigned as `optimizer.lr`,
    which nothing reads. `as_integer` is the step, the rate there and the one that was meant, where
    a schedule of Keras' counts in integers because it was given one.
    """

    name: str
    has_schedule: bool
    schedule_length: float | None = None
    steps_counted: int = 0
    schedule_peak: float | None = None
    highest_to_come: float | None = None
    highest_in_step: float | None = None
    assigned_lr: float | None = None
    as_integer: tuple | None = None


@dataclass(frozen=True)
class SchedulePlan:
    """A schedule in a run: the optimizer's own, or that of a callback, as numbers.

    It is asked for `begin` first, and no more from `end` on, in the steps that it counts: batches
    where it is the optimizer's own, else updates, of which one takes `accumulation` batches. From
    `length` on it stays at `final`. `peak`, at `peak_at`, and `lowest` are those of all its steps,
    `highest` and `last` those of the run. `rises` tells that the run sees it climb only, `is_held`
    that it changes between updates only, `spans_fits` that it is meant for several fits, `due` is
    where it should begin by the epoch that the fit begins at.
    """

    owner: str
    is_own: bool
    begin: float
    end: float | None
    length: float | None
    peak: float
    peak_at: float
    lowest: float
    final: float | None = None
    highest: float | None = None
    last: float | None = None
    rises: bool = False
    is_factor: bool = False
    accumulation: int = 1
    is_held: bool = False
    spans_fits: bool = False
    due: float | None = None

    @property
    def unit(self):
        """What it counts: "batch" or "update"."""
        return "batch" if self.is_own and self.accumulation > 1 else "update"


@dataclass(frozen=True)
class Plan:
    """A run: its callbacks in their order, its optimizers, and its length as planned and made.

    `metrics` are the names that the model puts into the logs, without those of validation, and
    `validates` whether there is one; None is not known. `schedules` are those in force, where
    nothing is driven yet.
    """

    callbacks: tuple = ()
    optimizers: tuple = ()
    steps_per_epoch: float | None = None
    epoch: int | None = None
    made_in_epoch: int | None = None
    total_steps: float | None = None
    metrics: frozenset | None = None
    validates: bool | None = None
    schedules: tuple = ()
