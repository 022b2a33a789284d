"""`ReduceLROnPlateau`: Keras' callback, on any optimizer."""

from typing import NamedTuple

from keras_lr import checks
from keras_lr.callbacks.base import ProgressController


class PlateauState(NamedTuple):
    """What the rule remembers from one evaluation to the next."""

    factor: float = 1.0
    rate: float = None
    best: float = None
    wait: int = 0
    cooldown_counter: int = 0


class ReduceLROnPlateau(ProgressController):
    """Multiplies the rate by `factor` when a metric has stopped improving.

    Keras' arguments and behaviour, and it works on top of a schedule: the applied rate is
    schedule × the factors so far. After `patience` evaluations in a row without an improvement
    the next update's rate is cut; an improvement is more than `min_delta`, absolute
    (`threshold_mode="abs"`) or a share of the best value's size (`"rel"`: right for losses below
    1e-4 and for negative ones). After a cut, `cooldown` evaluations pass before the next bad one
    counts, of which, as in Keras, the evaluation that ends the cooldown counts itself. No cut
    brings the next update's rate under `min_lr`.

    NaN and infinity never become the best; they count as bad once there is one. `best`, `wait`
    and `cooldown_counter` can be read and written. `on_train_end="restore_initial"` undoes the
    cuts at the end of `fit`, the default keeps them.

    >>> from keras_lr.callbacks import ReduceLROnPlateau
    >>> rule = ReduceLROnPlateau(factor=0.5, patience=2, mode="min")
    >>> state = rule.start()
    >>> for loss in [1.0, 1.1, 1.2, 1.3]:
    ...     state = rule.update(state, loss, rate=0.1)
    >>> state.factor, state.best, state.wait
    (0.5, 1.0, 1)
    """

    def __init__(
        self,
        monitor="val_loss",
        factor=0.1,
        patience=10,
        verbose=0,
        mode="auto",
        min_delta=1e-4,
        cooldown=0,
        min_lr=0.0,
        *,
        threshold_mode="abs",
        on_train_end="keep",
    ):
        count = checks.Number(minimum=0, integer=True)
        self.factor = checks.Number(above=0, below=1)("factor", factor)
        self.patience = count("patience", patience)
        self.min_delta = checks.RATE("min_delta", min_delta)
        self.cooldown = count("cooldown", cooldown)
        self.min_lr = checks.RATE("min_lr", min_lr)
        self.threshold_mode = checks.Choice(("abs", "rel"))("threshold_mode", threshold_mode)
        super().__init__(monitor, mode, verbose, on_train_end)

    def start(self):
        return PlateauState()

    def update(self, state, value, rate):
        if state.best is None:
            return state._replace(best=value) if self.is_better(value, None) else state
        if state.cooldown_counter > 0:
            state = state._replace(cooldown_counter=state.cooldown_counter - 1, wait=0)
        margin = self.min_delta * (abs(state.best) if self.threshold_mode == "rel" else 1.0)
        if self.is_better(value, state.best, margin):
            return state._replace(best=value, wait=0)
        if state.cooldown_counter > 0:
            return state
        state = state._replace(wait=state.wait + 1)
        # A float32 rate at the floor reads a hair above it: not worth another cut.
        if state.wait < self.patience or rate <= self.min_lr * (1 + 1e-6):
            return state
        cut = max(self.factor, self.min_lr / rate if rate > 0 else 0.0)
        return state._replace(factor=state.factor * cut, wait=0, cooldown_counter=self.cooldown)

    def explain(self, before, after, value):
        waited = before.wait + 1
        return f"{self.monitor} no better than {before.best:.4g} for {waited} evaluations"

    # As in Keras, where they are plain attributes.

    best = property(lambda self: self.state.best)
    wait = property(lambda self: self.state.wait)
    cooldown_counter = property(lambda self: self.state.cooldown_counter)

    @best.setter
    def best(self, value):
        self.state = self.state._replace(best=value)

    @wait.setter
    def wait(self, value):
        self.state = self.state._replace(wait=value)

    @cooldown_counter.setter
    def cooldown_counter(self, value):
        self.state = self.state._replace(cooldown_counter=value)
