"""The rate by the band that a metric is in: the documents' η1 if loss < threshold else η2."""

import math
from typing import NamedTuple

from keras_lr import checks
from keras_lr.callbacks.controller import Controller


class ThresholdState(NamedTuple):
    """The band that the metric is in, 0 below the first threshold, and its rate."""

    factor: float = 1.0
    rate: float | None = None
    band: int | None = None


class LossThreshold(Controller):
    """Sets the rate by the training loss: `learning_rates[i]` in band i of `thresholds`.

    `thresholds` ascend, and there is one more rate than thresholds: `learning_rates[0]` below the
    first threshold, the last at or above the last one. Evaluated at the end of each epoch, for
    the next. With `hysteresis` h a band is left only when the metric is more than h beyond its
    edge, so that noise around a threshold does not toggle the rate. Until the first finite value
    the optimizer's own rate or schedule counts; a value that is not finite changes nothing.
    `state_path`: see `StatefulCallback`.

    >>> from keras_lr.callbacks import LossThreshold
    >>> rule = LossThreshold(0.5, [0.001, 0.1])
    >>> state = rule.start()
    >>> for loss in [0.9, 0.4]:
    ...     state = rule.update(state, loss, rate=0.1)
    ...     print(state.rate)
    0.1
    0.001
    """

    sets_base = True

    def __init__(
        self,
        thresholds,
        learning_rates,
        monitor="loss",
        *,
        hysteresis=0.0,
        verbose=0,
        on_train_end="keep",
        state_path=None,
        optimizer=None,
        across_fits=False,
    ):
        if checks.as_number(thresholds) is not None:
            thresholds = [thresholds]
        self.thresholds = checks.sequence("thresholds", thresholds, checks.Number())
        checks.increasing("thresholds", self.thresholds)
        self.learning_rates = checks.sequence("learning_rates", learning_rates, checks.RATE)
        if len(self.learning_rates) != len(self.thresholds) + 1:
            required = f"one more than the {len(self.thresholds)} thresholds"
            checks.refuse("learning_rates", required, learning_rates)
        self.hysteresis = checks.NOT_NEGATIVE("hysteresis", hysteresis)
        super().__init__(monitor, verbose, on_train_end, state_path, optimizer, across_fits)

    def start(self):
        return ThresholdState()

    def update(self, state, value, rate):
        if not math.isfinite(value):
            return state
        band = self._band(value) if state.band is None else self._next_band(state.band, value)
        return state._replace(band=band, rate=self.learning_rates[band])

    def _band(self, value):
        return sum(value >= threshold for threshold in self.thresholds)

    def _next_band(self, band, value):
        lower, upper = self._band(value - self.hysteresis), self._band(value + self.hysteresis)
        return min(max(band, lower), upper)


class ValidationThreshold(LossThreshold):
    """`LossThreshold` on a validation metric, "val_loss" unless `monitor` names another.

    >>> from keras_lr.callbacks import ValidationThreshold
    >>> rule = ValidationThreshold([0.2, 0.8], [0.001, 0.01, 0.1])
    >>> rule.update(rule.start(), 0.5, rate=0.1).rate
    0.01
    """

    def __init__(self, thresholds, learning_rates, monitor="val_loss", **options):
        super().__init__(thresholds, learning_rates, monitor, **options)
