"""What the step of a trial reports: the batch's own loss, and which update it belongs to.

Keras logs the mean since the epoch began. Here every step begins with fresh metrics, inside the
compiled step itself, so that the log is what `train_on_batch` would return and the host does
nothing per batch. The update comes from the optimizer's counter, also inside the step: rates are
paired with losses by it, whatever batches are skipped, accumulated or counted by mistake.
"""

import keras
from keras import ops

LOSS, MADE = "loss", "made"


class ReportingStep:
    """A model's training step that reports `{"loss": …, "made": …}`.

    "made" are the updates made with this batch and before, as `table`, a `RateTable`, counts them;
    the loss is that of the batch
    before the update, or with `after` as `evaluate` computes it after the update; with a
    `validation_batch` (x, y or x, y, weights) it is that of this batch, after the update too.
    """

    def __init__(self, model, table, after=False, validation_batch=None):
        self._model, self._table = model, table
        self._train_step = model.train_step
        self._after = after or validation_batch is not None
        self._validation_batch = validation_batch
        if validation_batch is not None:
            self._validation_batch = keras.tree.map_structure(_tensor, tuple(validation_batch))

    def take(self, *args):
        """Takes the place of `model.train_step`."""
        return self._pure(*args) if keras.config.backend() == "jax" else self._stateful(*args)

    def _stateful(self, data):
        counted = self._table.counted()
        self._model.reset_metrics()
        logs = self._train_step(data)
        made = self._table.advance(counted)
        if self._after:
            self._model.reset_metrics()
            logs = self._test_step(data)
        return {LOSS: _loss(logs), MADE: made}

    def _test_step(self, data):
        data = data if self._validation_batch is None else self._validation_batch
        if keras.config.backend() != "torch":
            return self._model.test_step(data)
        import torch

        with torch.no_grad():
            return self._model.test_step(data)

    def _pure(self, state, data):
        *others, metrics = state
        variables = self._model.optimizer.variables
        with keras.StatelessScope(list(zip(variables, state[2]))):
            counted = self._table.counted()
        logs, state = self._train_step((*others, self._fresh(metrics)), data)
        with keras.StatelessScope(list(zip(variables, state[2]))) as scope:
            made = self._table.advance(counted)
            slots = [scope.get_current_value(variable) for variable in variables]
        state = (*state[:2], slots, *state[3:])
        if self._after:
            data = data if self._validation_batch is None else self._validation_batch
            logs, _ = self._model.test_step((*state[:2], self._fresh(state[3])), data)
        return {LOSS: _loss(logs), MADE: made}, state

    def _fresh(self, metrics):
        variables = self._model.metrics_variables
        with keras.StatelessScope(list(zip(variables, metrics))) as scope:
            self._model.reset_metrics()
        return [scope.get_current_value(variable) for variable in variables]


def _loss(logs):
    if not isinstance(logs, dict) or LOSS not in logs:
        received = sorted(logs) if isinstance(logs, dict) else logs
        raise ValueError(
            "The model's `train_step` must return a dict with the entry 'loss', the number that "
            f"the range test follows. Received: {received!r}"
        )
    return logs[LOSS]


def _tensor(value):
    return None if value is None else ops.convert_to_tensor(value)
