"""By hand: the rate of a compiled model, read and written, and its schedule's clock put right."""

import keras

from keras_lr import checks
from keras_lr.keras_private.optimizers import leaves, multiplier_of, rate_as_written, read
from keras_lr.schedules import Constant
from keras_lr.schedules.coerce import as_schedule


def get_rate(optimizer):
    """Returns the rate that the next update would be made with.

    `optimizer` is an optimizer, whatever it was built with or is wrapped in, or a compiled model.
    Of a `MultiOptimizer` it is a dictionary by the names of its optimizers. What callbacks add
    during `fit` is in the recorder, not here.

    >>> import keras
    >>> from keras_lr import get_rate
    >>> from keras_lr.schedules import LinearDecay
    >>> get_rate(keras.optimizers.SGD(0.1)), get_rate(keras.optimizers.SGD(LinearDecay(0.2, 9)))
    (0.1, 0.2)
    """
    rates = {leaf.name: _next_rate(leaf) for leaf in leaves(_optimizer_of(optimizer))}
    return rates if len(rates) > 1 else rates.popitem()[1]


def set_rate(model, rate):
    """Sets the rate of a compiled model, from the next update on, whatever it was built with.

    A schedule is replaced by the constant rate, and the training step built anew, without which
    Keras' compiled step would go on with the schedule. All optimizers of a `MultiOptimizer` get
    the rate, those of `discriminative` their share of it. An optimizer instead of the model will do
    if it was built with a number. Between calls of `fit` or `train_on_batch`, not during one: that
    is what callbacks are for.

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
    optimizers = leaves(_optimizer_of(model))
    scheduled = [leaf for leaf in optimizers if not isinstance(leaf._learning_rate, keras.Variable)]
    if scheduled and not isinstance(model, keras.Model):
        raise ValueError(
            "`model` must be the compiled model where the optimizer was built with a schedule: its "
            f"training step has to be built anew. Received: {type(model).__name__}"
        )
    for leaf in optimizers:
        own = rate * multiplier_of(leaf)
        leaf.learning_rate = Constant(own) if leaf in scheduled else own
    if scheduled:
        # What was compiled before knows the schedule; the next use builds it anew.
        model.train_function = None


def resume_at(model, epoch, steps_per_epoch):
    """Puts the clock of a model's schedules where `epoch` epochs of training leave it.

    For weights that were loaded without their optimizer, before `fit(initial_epoch=epoch)`.
    `steps_per_epoch` counts batches. Sets `optimizer.iterations` and nothing else: Adam takes its
    moments, which begin at 0 again, for those of a long run, and so begins with small updates.

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
        leaf._iterations.assign(epoch * batches)


def _optimizer_of(model):
    optimizer = getattr(model, "optimizer", model)
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        checks.refuse("model", "a compiled model or an optimizer", model)
    return optimizer


def _next_rate(optimizer):
    own = optimizer._learning_rate
    if isinstance(own, keras.Variable):
        return rate_as_written(own)
    if not isinstance(own, keras.optimizers.schedules.LearningRateSchedule):
        return float(own())
    every = optimizer.gradient_accumulation_steps or 1
    done = int(read(optimizer._iterations)) // every
    # Keras shows a schedule the batches; the last of each accumulation makes the update.
    return float(as_schedule("learning_rate", own).rates([done * every + every - 1])[0])
