"""`discriminative`: an optimizer with a rate for each group of layers."""

import keras

from keras_lr import checks
from keras_lr.keras_private.multi_optimizer import copy_of
from keras_lr.keras_private.optimizers import (
    batches_counted,
    has_rate_variable,
    has_schedule,
    leaves,
    own_rate,
    rate_as_written,
)
from keras_lr.layerwise.groups import by_depth, by_pattern
from keras_lr.layerwise.optimizer import LayerwiseOptimizer
from keras_lr.schedules.coerce import as_schedule


def discriminative(optimizer, model, multipliers=None, *, decay=None) -> LayerwiseOptimizer:
    """Returns an optimizer with a rate for each group of weights, for fine-tuning.

    A `MultiOptimizer` (Keras 3.15) to compile `model` with. Each group has a copy of `optimizer`
    whose float or schedule is multiplied by the group's multiplier. All callbacks work on it.
    Rates that are named, by `FitSchedule`, `LossThreshold`, `set_rate`, `min_lr` or a range test,
    are those at multiplier 1, and every group keeps its share of them. The recorder has a column
    `learning_rate_<group>` for each group.

    Args:
        optimizer: a new Keras optimizer, built with a float or a schedule. `clipnorm` and
            `clipvalue` work as usual; `global_clipnorm`, the norm over all groups, is refused. The
            multiplier scales AdamW's decay too, because Keras multiplies the decay by the rate.
            To use a `LossScaleOptimizer`, wrap the result in it, not the argument.
        model: a built model. The same weights must be trainable when it is compiled: after a
            change of `trainable`, call this again.
        multipliers: a dictionary of numbers >= 0 by pattern. `*` and `?` work as in file names,
            except that `*` also matches slashes. A pattern without a slash names layers or models
            at any depth: `block1*`. A pattern with one is compared with the whole path to a layer
            or a weight: `backbone/block1*`, `head/kernel`, `*/bias`. The first match counts. What
            matches none is the group "rest", at multiplier 1. A pattern that matches nothing is an
            error that lists the names.
        decay: instead of multipliers, the factor per layer: a layer that n layers follow on the
            longest path to the output has the multiplier `decay ** n`. ULMFiT uses 1/2.6, vision
            transformers 0.65 to 0.9. Layers with a matrix of weights count, also inside nested
            models; normalisations go with the layer before them. The layers of a subclassed model
            are taken in the order of its attributes. For a decay by blocks, give multipliers:
            `{f"block{i}*": 0.8 ** (12 - i) for i in range(12)}`.

    A multiplier of 0 freezes exactly the weights that it names: no update, decay, average or
    constraint changes them, and they have no slots, group or column. Moving statistics, which no
    optimizer changes, go on; `layer.trainable = False` stops those of a BatchNormalization.

    Saved models load, with rates and optimizer state, in any process that has imported keras_lr.

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
        required = "above 0 for at least one group of weights: nothing would be trained"
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
            "`optimizer` must not contain other optimizers. Give the one inside; for a loss scale, "
            f"wrap the result: LossScaleOptimizer(discriminative(…)). Received: {name}"
        )
    if optimizer.global_clipnorm is not None:
        raise ValueError(
            "`optimizer` must not have a global_clipnorm, the norm of all gradients: each group "
            "sees only its own. Use clipnorm, which is per weight, or clipvalue. "
            f"Received: global_clipnorm={optimizer.global_clipnorm}"
        )
    if not (has_rate_variable(optimizer) or has_schedule(optimizer)):
        required = "built with a float or a schedule as its rate"
        checks.refuse("optimizer", required, own_rate(optimizer))
    made = batches_counted(optimizer)
    if made:
        raise ValueError(
            "`optimizer` must be new, because the groups start without its moments and counts: "
            f"{name}.from_config(optimizer.get_config()). Received: an optimizer that has made "
            f"{made} steps"
        )


def _check_model(model):
    if not isinstance(model, keras.Model):
        checks.refuse("model", "a Keras model", model)
    if not model.built:
        raise ValueError(
            "`model` must be built, so that its weights are known: give a Sequential its "
            "keras.Input, or call the model on a batch first. Received: "
            f"{type(model).__name__} {model.name!r}, not built"
        )
    if not model.trainable_variables:
        checks.refuse("model", "one with trainable weights", model)


def _copy(optimizer, group):
    """Returns a new optimizer like the given one, with the name and the rate of a group."""
    rate = own_rate(optimizer)
    if has_rate_variable(optimizer):
        rate = rate_as_written(rate) * group.multiplier
    elif group.multiplier != 1.0:
        rate = as_schedule("learning_rate", rate) * group.multiplier
    return copy_of(optimizer, group.name, rate)
