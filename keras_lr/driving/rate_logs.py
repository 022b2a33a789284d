"""The applied rate in an epoch's `logs`: its name there, and who is listed too early to see it."""

import warnings

import keras

from keras_lr.keras_private.fit_call import listed

# They write what the callbacks before them have put into the logs, and CSVLogger's columns are
# those of the first epoch. Keras' TensorBoard reads the optimizer instead, wherever it is listed.
_READERS = (keras.callbacks.CSVLogger, keras.callbacks.RemoteMonitor)


def column(rate, rates):
    """Returns the name of one optimizer's rate among those of its model."""
    return "learning_rate" if len(rates) == 1 else f"learning_rate_{rate.name}"


def warn_of_early_readers(callback):
    """Warns if a callback that writes the rate into the logs is listed after those who read it."""
    together = listed(callback.model)
    before = together[: together.index(callback)] if callback in together else []
    if any(getattr(other, "writes_rate", False) for other in before):
        # A rate was written before; what is listed before that was warned about there.
        return
    early = [type(other).__name__ for other in before if isinstance(other, _READERS)]
    if early:
        warnings.warn(
            f"{' and '.join(early)} will not see the learning rate that {type(callback).__name__} "
            f"writes at the end of each epoch: list {type(callback).__name__} first.",
            stacklevel=3,
        )
