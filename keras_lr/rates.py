"""The rate by hand: read and set the rate of a compiled model, and set its schedule's clock."""

import keras

from keras_lr import checks
from keras_lr.driving.running import end_interrupted_fit
from keras_lr.keras_private.fit_call import FitCall
from keras_lr.keras_private.optimizers import (
    batch_of_update,
    has_rate_variable,
    has_schedule,
    leaves,
    multiplier_of,
    own_rate,
    rate_as_written,
    set_batches_counted,
    updates_made,
)
from keras_lr.keras_private.training_step import forget
from keras_lr.schedules import Constant
from keras_lr.schedules.coerce import as_schedule


def get_rate(optimizer):
    """Returns the rate of the next update.

    `optimizer` is a compiled model or an optimizer, whatever it was built with or is wrapped in.
    For a `MultiOptimizer` the result is a dictionary by the names of its optimizers. What callbacks
    do during `fit` is in the recorder, not here.

    >>> import keras
    >>> from keras_lr import get_rate
    >>> from keras_lr.schedules import LinearDecay
    >>> get_rate(keras.optimizers.SGD(0.1)), get_rate(keras.optimizers.SGD(LinearDecay(0.2, 9)))
    (0.1, 0.2)
    """
    end_interrupted_fit(optimizer)
    rates = {leaf.name: _next_rate(leaf) for leaf in leaves(_optimizer_of(optimizer))}
    return rates if len(rates) > 1 else rates.popitem()[1]


def set_rate(model, rate) -> None:
    """Sets the rate of a compiled model from the next update on, whatever it was built with.

    A schedule is replaced by the constant `rate`, and the training step is compiled again: Keras'
    compiled step would go on with the schedule. All optimizers of a `MultiOptimizer` get the rate;
    those of `discriminative` get their share of it. Instead of the model, an optimizer will do if
    it was built with a number. Call this between calls of `fit` or `train_on_batch`; during `fit`,
    use a callback.

    >>> import keras
    >>> from keras_lr import get_rate, set_rate
    >>> from keras_lr.schedules import LinearDecay
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(LinearDecay(0.2, 9)), "mse")
    >>> set_rate(model, 0.05)
    >>> get_rate(model)
    0.05
    """
    rate = checks.RATE("rate", rate)
    end_interrupted_fit(model)
    optimizers = leaves(_optimizer_of(model))
    scheduled = [leaf for leaf in optimizers if not has_rate_variable(leaf)]
    if scheduled and not isinstance(model, keras.Model):
        raise ValueError(
            "`model` must be the compiled model if its optimizer was built with a schedule: "
            f"the training step has to be compiled again. Received: {type(model).__name__}"
        )
    if scheduled and FitCall.of(model):
        raise ValueError(
            "`set_rate` must be called between two fits where the optimizer was built with a "
            "schedule: the training step has to be compiled again. In a fit use a callback, such "
            f"as LearningRateScheduler. Received: rate={rate!r} during a fit"
        )
    for leaf in optimizers:
        own = rate * multiplier_of(leaf)
        leaf.learning_rate = Constant(own) if leaf in scheduled else own
    if scheduled:
        forget(model)


def resume_at(model, epoch, steps_per_epoch) -> None:
    """Sets the clock of a model's schedules to the end of `epoch` epochs of training.

    For weights that were loaded without their optimizer: call it before `fit(initial_epoch=epoch)`.
    `steps_per_epoch` counts batches. Only `optimizer.iterations` is set. Adam's moments start at 0
    again, but its bias correction takes them for those of a long run: its first updates are small.
    A file of `save_weights` has them, too, with the clock; Keras loads them into an optimizer that
    is built: `model.optimizer.build(model.trainable_variables)` before `load_weights`.

    >>> import keras
    >>> from keras_lr import get_rate, resume_at
    >>> from keras_lr.schedules import LinearDecay
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(LinearDecay(1.0, 100)), "mse")
    >>> resume_at(model, epoch=5, steps_per_epoch=10)
    >>> get_rate(model)
    0.5
    """
    epoch = checks.Number(minimum=0, integer=True)("epoch", epoch)
    batches = checks.Number(minimum=1, integer=True)("steps_per_epoch", steps_per_epoch)
    for leaf in leaves(_optimizer_of(model)):
        set_batches_counted(leaf, epoch * batches)


def _optimizer_of(model):
    optimizer = getattr(model, "optimizer", model)
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        checks.refuse("model", "a compiled model or an optimizer", model)
    return optimizer


def _next_rate(optimizer):
    own = own_rate(optimizer)
    if has_rate_variable(optimizer):
        return rate_as_written(own)
    if not has_schedule(optimizer):
        return float(own())
    batch = batch_of_update(optimizer, updates_made(optimizer))
    return float(as_schedule("learning_rate", own).rates([batch])[0])
