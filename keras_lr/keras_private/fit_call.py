"""The running call of `fit`: what it knows and Keras does not tell its callbacks.

The call stack is all there is to look at, and this is the only module that does.
"""

import sys

import keras


class FitCall:
    """One call of `fit` that a model is in, read off its frame."""

    def __init__(self, frame):
        self._frame = frame

    @classmethod
    def stack(cls, model):
        """Returns the calls of `fit` that this model is in, the innermost first."""
        found, frame = [], sys._getframe()
        while frame is not None:
            # Not a `fit` that a subclass has put around Keras' own.
            module = frame.f_globals.get("__name__") or ""
            is_fit = frame.f_code.co_name == "fit" and module.startswith("keras.")
            if is_fit and frame.f_locals.get("self") is model:
                found.append(cls(frame))
            frame = frame.f_back
        return found

    @classmethod
    def of(cls, model):
        """Returns the innermost call of `fit` that this model is in, or None."""
        return next(iter(cls.stack(model)), None)

    @classmethod
    def is_asking(cls, model):
        """Tells whether what called the caller is the only running `fit` of this model."""
        caller = sys._getframe(2)
        return [call._frame for call in cls.stack(model)] == [caller]

    def _local(self, name):
        return self._frame.f_locals.get(name)

    @property
    def callbacks(self):
        """All callbacks of this call, in its order, those of Keras too."""
        return list(getattr(self._local("callbacks"), "callbacks", []))

    @property
    def x(self):
        """The data that `fit` was given; with `validation_split`, the part for training."""
        return self._local("x")

    @property
    def training(self):
        """What this call trains on, as the arguments that another `fit` would take."""
        names = "x", "y", "sample_weight", "class_weight", "batch_size", "shuffle"
        return {name: self._local(name) for name in names}

    @property
    def validation(self):
        """What this call validates on, as the arguments of `evaluate`; None if it does not."""
        if self._local("validation_data") is None:
            return None
        size = self._local("validation_batch_size") or self._local("batch_size")
        names = ("x", "val_x"), ("y", "val_y"), ("sample_weight", "val_sample_weight")
        found = {name: self._local(local) for name, local in names}
        return found | {"batch_size": size, "steps": self._local("validation_steps")}

    @property
    def distributed_data(self):
        """The data set that TensorFlow's trainer reads, or None."""
        return getattr(self._local("epoch_iterator"), "_distributed_dataset", None)

    def validates_after(self, model, epoch):
        """Tells whether there is to be a validation after a later epoch (`validation_freq`)."""
        later = range(epoch + 1, self._local("epochs"))
        return self._local("validation_data") is not None and any(
            model._should_eval(e, self._local("validation_freq")) for e in later
        )


def model_in_step():
    """Returns the model whose training step is running, or being compiled, or None."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "train_step":
            found = frame.f_locals.get("self")
            if isinstance(found, keras.Model):
                return found
        frame = frame.f_back
    return None


def is_called_by(module):
    """Tells whether the caller was called by code of a module."""
    return sys._getframe(2).f_globals.get("__name__") == module


def listed(model):
    """Returns all callbacks of the running `fit`, in its order; none outside of `fit`."""
    call = FitCall.of(model)
    return [] if call is None else call.callbacks


def set_first_epoch(model, epoch):
    """Tells the running `fit` where to begin, as Keras' own backup does; None takes it back."""
    model._initial_epoch = epoch
