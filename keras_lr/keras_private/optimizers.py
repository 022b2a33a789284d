"""Which optimizers a model has, and whether their rates can be driven."""

import keras

HOOK = "_get_current_learning_rate"
"""The method through which an optimizer asks for its rate."""
MULTIPLIER = "_keras_lr_multiplier"
"""Where `discriminative` notes the share of an optimizer in the rates that others name."""
_SUPPORTED = "Keras 3.14 and 3.15"


def leaves(optimizer):
    """Returns the optimizers that hold a rate, inside whatever wraps them.

    >>> import keras
    >>> sgd = keras.optimizers.SGD(0.1)
    >>> leaves(keras.optimizers.LossScaleOptimizer(sgd)) == [sgd]
    True
    """
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return leaves(inner)
    return list(getattr(optimizer, "optimizers", [optimizer]))


def multiplier_of(optimizer):
    """Returns the share of an optimizer in absolute rates: 1, unless `discriminative` made it."""
    return vars(optimizer).get(MULTIPLIER, 1.0)


def check_optimizer(model):
    """Raises unless every rate of a model can be driven."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        raise ValueError("The model must be compiled first: model.compile(optimizer=…, loss=…).")
    if not leaves(optimizer) and model.built:
        # A `MultiOptimizer` made of a function knows its optimizers when it is built.
        optimizer.build(model.trainable_variables)
    if not leaves(optimizer):
        raise ValueError("The model must be built first, to know its optimizers: model.build(…).")
    for leaf in leaves(optimizer):
        if not hasattr(type(leaf), HOOK):
            raise RuntimeError(
                f"keras_lr was tested with {_SUPPORTED}, whose optimizers ask `{HOOK}` for their "
                f"rate. Keras {keras.__version__} has none in {type(leaf).__name__}: install a "
                "supported version of Keras, or a newer keras_lr."
            )
        own = leaf._learning_rate
        is_schedule = isinstance(own, keras.optimizers.schedules.LearningRateSchedule)
        if not is_schedule and not isinstance(own, keras.Variable):
            raise ValueError(
                f"The optimizer {leaf.name} must be built with a float or a schedule as its "
                f"learning rate, to be changed during training. Received: learning_rate={own!r}"
            )
        _check_scope(leaf, model)


def replicas(model):
    """Returns on how many devices a strategy of `tf.distribute` trains a model; 1 without any."""
    return getattr(getattr(model, "distribute_strategy", None), "num_replicas_in_sync", 1)


def _check_scope(optimizer, model):
    if replicas(model) > 1 and optimizer._distribution_strategy is not model.distribute_strategy:
        # Keras would train, and every replica add its own 1 to the only counter there is.
        raise ValueError(
            f"The optimizer {optimizer.name} must be built inside `strategy.scope()`, like the "
            "model; if it is given by its name, compile the model there. Received: an optimizer "
            f"from outside, whose clock would run {replicas(model)} times as fast"
        )
