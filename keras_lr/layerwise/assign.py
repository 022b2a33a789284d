"""`discriminative`."""

import keras

from keras_lr import checks
from keras_lr.keras_private.optimizers import leaves, rate_as_written, read
from keras_lr.layerwise.groups import by_depth, by_pattern
from keras_lr.layerwise.optimizer import LayerwiseOptimizer
from keras_lr.schedules.coerce import as_schedule

# What Keras does not keep in the config.
_NOT_IN_CONFIG = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")


def discriminative(optimizer, model, multipliers=None, *, decay=None):
    """Returns an optimizer with a rate for each group of weights, for fine-tuning.

    A `MultiOptimizer` (Keras 3.15) to compile `model` with: each group has a copy of `optimizer`
    whose float or schedule is multiplied; the multiplier scales AdamW's decay too, which Keras
    multiplies by the rate. All callbacks work on it. Rates that are named, by `FitSchedule`,
    `LossThreshold`, `set_rate`, `min_lr` or a range test, are those at multiplier 1, and every
    group keeps its share of them. The recorder has a column `learning_rate_<group>` for each.

    Args:
        optimizer: a new Keras optimizer, built with a float or a schedule. `clipnorm` and
            `clipvalue` work as ever; `global_clipnorm`, whose norm is that of all groups, is
            refused. Wrap the result in `LossScaleOptimizer`, not the argument.
        model: a built model. The weights have to be the same, and the same ones trainable, when it
            is compiled: after a change of `trainable`, call this again.
        multipliers: a dictionary of numbers >= 0 by pattern, `*` and `?` as in file names, but `*`
            also stands for slashes. A pattern without a slash names layers or models, however
            deeply nested ("block1*"); one with a slash is compared with the whole way to a layer or
            a weight ("backbone/block1*", "head/kernel", "*/bias"). The first match counts; what
            matches none is the group "rest", of multiplier 1. A pattern without effect is an error
            that lists the names.
        decay: instead, the multiplier `decay ** n` for a layer that n layers follow on the longest
            way to the output; ULMFiT has 1/2.6, vision transformers 0.65 to 0.9. Layers with a
            matrix of weights count, also inside nested models; normalisations go with the layer
            before them. A subclassed model's layers are taken in the order of their attributes.
            By blocks: `{f"block{i}*": 0.8 ** (12 - i) for i in range(12)}` as multipliers.

    A multiplier of 0 freezes exactly the weights that are named: no update, decay, average or
    constraint touches them, and they have no slots, group or column. Moving statistics, which no
    optimizer moves, go on; `layer.trainable = False` stops those of a BatchNormalization.

    Saved models load in any process that has imported keras_lr, with rates and optimizer state.

    >>> import keras
    >>> from keras_lr import discriminative, get_rate
    >>> layers = [keras.layers.Dense(2, name=name) for name in ("stem", "block1", "head")]
    >>> model = keras.Sequential([keras.Input((2,)), *layers])
    >>> optimizer = discriminative(keras.optimizers.SGD(0.5), model, {"stem": 0, "block*": 0.1})
    >>> model.compile(optimizer, "mse")
    >>> get_rate(model)
    {'rest': 0.5, 'block': 0.05}
    >>> get_rate(discriminative(keras.optimizers.SGD(0.5), model, decay=0.5))
    {'head': 0.5, 'block1': 0.25, 'stem': 0.125}

    Source: Howard and Ruder, arXiv 1801.06146, §3.2; Clark et al., arXiv 2003.10555, for `decay`.
    """
    if (multipliers is None) == (decay is None):
        raise ValueError(
            "Exactly one of `multipliers` and `decay` must be given. "
            f"Received: multipliers={multipliers!r}, decay={decay!r}"
        )
    _check_optimizer(optimizer)
    _check_model(model)
    groups = by_depth(model, decay) if multipliers is None else by_pattern(model, multipliers)
    moving = [group for group in groups if group.multiplier > 0]
    if not moving:
        required = "above 0 for one group of weights at least: nothing would be trained"
        checks.refuse("multipliers", required, multipliers)
    group_of = {place: i for i, group in enumerate(moving) for place in group.places}
    weights = model.trainable_variables
    return LayerwiseOptimizer(
        [_copy(optimizer, group) for group in moving],
        [group.multiplier for group in moving],
        [group_of.get(place) for place in range(len(weights))],
        [weight.shape for weight in weights],
        loss_scale_factor=optimizer.loss_scale_factor,
    )


def _check_optimizer(optimizer):
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        checks.refuse("optimizer", "an optimizer, such as keras.optimizers.Adam(1e-3)", optimizer)
    name = type(optimizer).__name__
    if leaves(optimizer) != [optimizer]:
        raise ValueError(
            "`optimizer` must be one that is not made of others. Give the one inside; where a "
            "loss scale is needed, wrap the result: LossScaleOptimizer(discriminative(…)). "
            f"Received: {name}"
        )
    if optimizer.global_clipnorm is not None:
        raise ValueError(
            "`optimizer` must not have a global_clipnorm, whose norm is that of all gradients: a "
            "group sees only its own. Take clipnorm, which is by weight, or clipvalue. "
            f"Received: global_clipnorm={optimizer.global_clipnorm}"
        )
    rate = optimizer._learning_rate
    if not isinstance(rate, (keras.Variable, keras.optimizers.schedules.LearningRateSchedule)):
        checks.refuse("optimizer", "built with a float or a schedule as its rate", rate)
    made = int(read(optimizer._iterations))
    if made:
        raise ValueError(
            "`optimizer` must be a new one, because the groups begin without its moments and "
            f"counts: {name}.from_config(optimizer.get_config()). Received: one that has made "
            f"{made} steps"
        )


def _check_model(model):
    if not isinstance(model, keras.Model):
        checks.refuse("model", "a Keras model", model)
    if not model.built:
        raise ValueError(
            "`model` must be built, or its weights cannot be told apart: give a Sequential its "
            "keras.Input, or call the model on a batch first. Received: "
            f"{type(model).__name__} {model.name!r}, not built"
        )
    if not model.trainable_variables:
        checks.refuse("model", "one with trainable weights", model)


def _copy(optimizer, group):
    """Returns a new optimizer like the given one, with the name and the rate of a group."""
    own, held = optimizer._learning_rate, vars(optimizer)
    if group.multiplier == 1.0:
        rate = rate_as_written(own) if isinstance(own, keras.Variable) else own
    elif isinstance(own, keras.Variable):
        rate = rate_as_written(own) * group.multiplier
    else:
        rate = as_schedule("learning_rate", own) * group.multiplier
    # A schedule need not be one that can be saved: the config is taken without it.
    held["_learning_rate"] = 0.0
    try:
        config = optimizer.get_config()
    finally:
        held["_learning_rate"] = own
    copy = type(optimizer).from_config({**config, "name": group.name, "learning_rate": rate})
    vars(copy).update({name: held[name] for name in _NOT_IN_CONFIG if name in held})
    return copy
