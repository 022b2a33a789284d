"""What an optimizer keeps to itself: its rate, its counter, and the method that reads the rate."""

import keras
import numpy as np
from keras import ops

from keras_lr.schedules.evaluation import host_value

RATE_METHOD = "_get_current_learning_rate"
"""The method through which an optimizer asks for its rate."""
_MULTIPLIER = "_keras_lr_multiplier"
_SUPPORTED = "Keras 3.14 and 3.15"


def leaves(optimizer):
    """Returns the optimizers that hold a rate, inside whatever wraps them.

    >>> import keras
    >>> sgd = keras.optimizers.SGD(0.1)
    >>> leaves(keras.optimizers.LossScaleOptimizer(sgd)) == [sgd]
    True
    """
    inside = getattr(optimizer, "optimizers", None)
    if inside is None:
        # A loss scale, or a stranger's wrapper, such as Lookahead: the one inside updates.
        inside = [v for v in vars(optimizer).values() if isinstance(v, keras.optimizers.Optimizer)]
        inside = inside or None
    return [optimizer] if inside is None else [leaf for each in inside for leaf in leaves(each)]


def parts(optimizer):
    """Yields an optimizer and all inside it, also those that wrap others."""
    yield optimizer
    inner = getattr(optimizer, "inner_optimizer", None)
    for part in getattr(optimizer, "optimizers", []) if inner is None else [inner]:
        yield from parts(part)


# The rate


def own_rate(optimizer):
    """Returns what an optimizer holds as its rate: a variable, a schedule or a function.

    >>> import keras
    >>> own_rate(keras.optimizers.SGD(lambda: 0.1))()
    0.1
    """
    return optimizer._learning_rate


def has_rate_variable(optimizer):
    """Tells whether an optimizer was built with a number, which it keeps in a variable."""
    return isinstance(own_rate(optimizer), keras.Variable)


def has_schedule(optimizer):
    """Tells whether an optimizer was built with a schedule, or was given one since."""
    return isinstance(own_rate(optimizer), keras.optimizers.schedules.LearningRateSchedule)


def rate_in_step(optimizer):
    """Returns the rate as Keras would compute it inside a training step."""
    return getattr(type(optimizer), RATE_METHOD)(optimizer)


def read(value):
    """Returns a scalar, a variable's too, as a float."""
    on_host = host_value(value)
    return float(value) if on_host is None else float(on_host)


def rate_as_written(variable):
    """Returns a rate as a float; a float32 as its shortest decimal: 0.1, not 0.1000000015."""
    rate = read(variable)
    is_single = keras.backend.standardize_dtype(variable.dtype) == "float32"
    return float(str(np.float32(rate))) if is_single else rate


def as_held(optimizer, rate):
    """Returns a number as the rate variable of an optimizer holds it, rounded to its type."""
    return read(ops.convert_to_tensor(rate, dtype=own_rate(optimizer).dtype))


def multiplier_of(optimizer):
    """Returns the share of an optimizer in absolute rates: 1, unless `discriminative` made it."""
    return vars(optimizer).get(_MULTIPLIER, 1.0)


def has_multiplier(optimizer):
    """Tells whether an optimizer is one of those that `discriminative` made."""
    return _MULTIPLIER in vars(optimizer)


def set_multiplier(optimizer, multiplier):
    """Notes the share of an optimizer in the rates that callbacks name."""
    vars(optimizer)[_MULTIPLIER] = multiplier


def shares_of(optimizers):
    """Returns the rate of each optimizer at multiplier 1, as a share of the largest.

    >>> shares_of([keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.1)])
    [0.5, 1.0]
    """
    rates = [float(o.learning_rate) / (multiplier_of(o) or 1.0) for o in optimizers]
    highest = max(rates)
    return [rate / highest if highest > 0 else 1.0 for rate in rates]


# The counter


def accumulation(optimizer):
    """Returns how many batches make an update: 1, unless gradients are accumulated."""
    return optimizer.gradient_accumulation_steps or 1


def batches_counted(optimizer):
    """Returns what an optimizer has counted so far: batches, also where they accumulate."""
    return int(read(optimizer._iterations))


def counter_in_step(optimizer):
    """Returns the counter as a schedule of the optimizer's own sees it: batches, not updates."""
    return optimizer._iterations


def set_batches_counted(optimizer, batches):
    """Sets the counter of an optimizer, past those who watch that others do not."""
    type(optimizer._iterations).assign(optimizer._iterations, batches)


def updates_made(optimizer, without_last=0):
    """Returns how many updates an optimizer has made, not counting the last few batches."""
    return (batches_counted(optimizer) - without_last) // accumulation(optimizer)


def batch_of_update(optimizer, update):
    """Returns the number that Keras gives a schedule for an update: of its last batch.

    >>> import keras
    >>> batch_of_update(keras.optimizers.SGD(0.1, gradient_accumulation_steps=4), 2)
    11
    """
    every = accumulation(optimizer)
    return update * every + every - 1


def may_skip_updates(optimizer):
    """Tells whether an optimizer leaves out updates: a loss scale does, where they overflow."""
    return hasattr(optimizer, "inner_optimizer")


# Whether it can be driven


def check_optimizer(model, optimizer=None):
    """Raises unless every rate of a model's optimizer, or of another, can be driven."""
    optimizer = optimizer or getattr(model, "optimizer", None)
    if optimizer is None:
        raise ValueError("The model must be compiled first: model.compile(optimizer=…, loss=…).")
    if not leaves(optimizer) and model.built:
        # A `MultiOptimizer` made of a function knows its optimizers when it is built.
        optimizer.build(model.trainable_variables)
    if not leaves(optimizer):
        raise ValueError("The model must be built first, to know its optimizers: model.build(…).")
    for leaf in leaves(optimizer):
        check_rate(leaf)
        _check_scope(leaf, model)


def check_rate(leaf):
    """Raises unless the rate of an optimizer can be driven."""
    if not hasattr(type(leaf), RATE_METHOD):
        raise RuntimeError(
            f"keras_lr was tested with {_SUPPORTED}, whose optimizers ask `{RATE_METHOD}` for "
            f"their rate. Keras {keras.__version__} has none in {type(leaf).__name__}: install "
            "a supported version of Keras, or a newer keras_lr."
        )
    if not has_schedule(leaf) and not has_rate_variable(leaf):
        raise ValueError(
            f"The optimizer {leaf.name} must be built with a float or a schedule as its "
            "learning rate, to be changed during training. "
            f"Received: learning_rate={own_rate(leaf)!r}"
        )


def check_is_in_step(model, optimizers):
    """Raises where the training step of `fit` on JAX is not given the state of an optimizer."""
    if keras.config.backend() != "jax":
        return
    handed = {id(variable) for variable in model.optimizer.variables}
    for optimizer in optimizers:
        if id(optimizer._iterations) not in handed:
            raise ValueError(
                "On JAX the training step of `fit` is given the variables of model.optimizer, and "
                "no other optimizer can count or have its rate changed there. Compile the model "
                "with a keras.optimizers.MultiOptimizer of all that train it, and name its parts "
                "by optimizer=…; a wrapper must have the variables of the optimizer inside among "
                f"its `variables`. Received: {optimizer.name}, which model.optimizer "
                f"({model.optimizer.name}) does not know"
            )


def strategy_of(model):
    """Returns the strategy of `tf.distribute` that a model was built under, or None."""
    return getattr(model, "distribute_strategy", None)


def replicas(model):
    """Returns on how many devices a strategy of `tf.distribute` trains a model; 1 without any."""
    return getattr(strategy_of(model), "num_replicas_in_sync", 1)


def _check_scope(optimizer, model):
    if replicas(model) > 1 and optimizer._distribution_strategy is not strategy_of(model):
        # Keras would train, and every replica add its own 1 to the only counter there is.
        raise ValueError(
            f"The optimizer {optimizer.name} must be built inside `strategy.scope()`, like the "
            "model; if it is given by its name, compile the model there. Received: an optimizer "
            f"from outside, whose clock would run {replicas(model)} times as fast"
        )
