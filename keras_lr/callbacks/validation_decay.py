"""`ValidationDecay`: the rate falls the longer the validation metric gets worse."""

from typing import NamedTuple

from keras_lr.callbacks.progress import ProgressController


class ValidationDecayState(NamedTuple):
    """The best value so far; since which epoch (from 1), and for how many, it got worse."""

    factor: float = 1.0
    rate: float | None = None
    evaluations: int = 0
    best: float | None = None
    worse_since: int = 0
    worse_for: int = 0


class ValidationDecay(ProgressController):
    """Multiplies the rate by `min(1, 1 / min(t_p, t_d))` while a validation metric gets worse.

    t_p is the evaluation (counted from 1) at which the metric began to be worse than the best so
    far, t_d for how many evaluations it has been; t_d = 0 is the factor 1. A new best brings the
    full rate back. A value that is not finite counts as worse, and never as the best.
    `state_path`: see `StatefulCallback`.

    >>> from keras_lr.callbacks import ValidationDecay
    >>> rule = ValidationDecay(mode="min")
    >>> state, factors = rule.start(), []
    >>> for loss in [1.0, 0.8, 0.9, 0.9, 0.9, 0.7]:
    ...     state = rule.update(state, loss, rate=0.1)
    ...     factors.append(round(state.factor, 3))
    >>> factors
    [1.0, 1.0, 1.0, 0.5, 0.333, 1.0]
    """

    def __init__(
        self,
        monitor="val_loss",
        mode="auto",
        verbose=0,
        on_train_end="keep",
        *,
        state_path=None,
        optimizer=None,
        across_fits=False,
    ):
        super().__init__(monitor, mode, verbose, on_train_end, state_path, optimizer, across_fits)

    def start(self):
        return ValidationDecayState()

    def update(self, state, value, rate):
        state = state._replace(evaluations=state.evaluations + 1)
        if value == state.best or self.is_better(value, state.best):
            return state._replace(best=value, worse_since=0, worse_for=0, factor=1.0)
        if state.best is None:
            return state
        since = state.worse_since or state.evaluations
        count = state.worse_for + 1
        factor = min(1.0, 1.0 / min(since, count))
        return state._replace(worse_since=since, worse_for=count, factor=factor)

    def explain(self, before, after, value):
        if after.worse_for == 0:
            return f"{self.monitor} = {value:.4g}, the best so far"
        return f"{self.monitor} worse than {after.best:.4g} for {after.worse_for} evaluations"
