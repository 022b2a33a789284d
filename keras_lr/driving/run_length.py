"""How many batches an epoch has: known to Keras, given to a callback, or counted."""

from typing import NamedTuple

from keras_lr import checks
from keras_lr.keras_private.fit_call import FitCall
from keras_lr.keras_private.optimizers import accumulation
from keras_lr.schedules.durations import Run


class Horizon(NamedTuple):
    """The length of a whole run, where it is another one than that of the fit.

    >>> Horizon(epochs=30, total_steps=None, across_fits=True).of(Run(1, 8)).total_steps
    240
    """

    epochs: int | None
    total_steps: int | None
    across_fits: bool

    @classmethod
    def checked(cls, epochs, total_steps, across_fits):
        """Returns it; raises ValueError for what is no length, or two of them."""
        if epochs is not None and total_steps is not None:
            required = "None where `epochs` is given, which counts in batches"
            checks.refuse("total_steps", required, total_steps)
        epochs = None if epochs is None else checks.COUNT("epochs", epochs)
        total_steps = None if total_steps is None else checks.COUNT("total_steps", total_steps)
        return cls(epochs, total_steps, across_fits)

    @property
    def is_open(self):
        """Tells whether none was given."""
        return self.epochs is None and self.total_steps is None

    def of(self, run):
        """Returns the whole run that a fit of this length is in."""
        if self.is_open and not self.across_fits:
            return run
        return Run(self.epochs, run.steps_per_epoch, self.total_steps)


def run_of(optimizer, epochs, batches):
    """Returns the length of a fit in updates of an optimizer, from its epochs and their batches."""
    return Run(epochs, batches / accumulation(optimizer) if batches else None)


def steps_per_epoch(name, value):
    """The kind of an argument: batches per epoch, "count" to read the data once, or None."""
    if value is None or (isinstance(value, str) and value == "count"):
        return value
    if isinstance(value, str):
        checks.refuse(name, "a number of batches, or 'count'", value)
    return checks.COUNT(name, value)


def batches_per_epoch(callback, model):
    """Returns the batches per epoch that Keras knows or a callback of this `fit` was given."""
    call = FitCall.of(model)
    together = [callback, *(call.callbacks if call else [])]
    given = {getattr(c, "given_steps_per_epoch", None) for c in together} - {None}
    known = (callback.params or {}).get("steps")
    numbers = sorted(given - {"count"} | ({known} if known else set()))
    if len(numbers) > 1:
        raise ValueError(
            "`steps_per_epoch` must be the same for all callbacks, and for `fit` where it knows "
            "the number of batches; where a batch makes several updates, give durations in updates "
            f"instead. Received: {' and '.join(map(str, numbers))}"
        )
    if numbers:
        return numbers[0]
    return _counted(call and call.x) if "count" in given else None


def _counted(data):
    """Returns the number of batches in one pass over data that can be read again."""
    once = not hasattr(data, "__iter__") or iter(data) is data
    # -1 is what a TensorFlow data set without an end says.
    if once or (hasattr(data, "cardinality") and int(data.cardinality()) == -1):
        raise ValueError(
            "`steps_per_epoch` must be a number for data that can be read only once, or that "
            f"never ends. Received: steps_per_epoch='count' with x of type {type(data).__name__}"
        )
    return sum(1 for _ in data)
