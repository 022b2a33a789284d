"""How many layers follow a weight on the longest way to the output."""

from bisect import bisect_left

import keras


def levels(model):
    """Returns the level of each weight, by its id, and the names of the levels from 0 on.

    Level 0 is the last layer that counts; a layer counts, once, if it holds a matrix of weights,
    frozen or not. What only scales and shifts, as normalisations do, is of the level of the layer
    before it. Nested models are taken apart, layers made of layers are not. A model's own weights,
    such as a class token, are of the level of its first layer.

    >>> layers = [keras.layers.Dense(1, name=name) for name in ("first", "last")]
    >>> level_of, names = levels(keras.Sequential([keras.Input((1,)), *layers]))
    >>> names, [level_of[id(layer.kernel)] for layer in layers]
    (['last', 'first'], [1, 0])
    """
    heights, counting = {}, {}
    _climb(model, 0, heights, counting)
    names = {}
    for layer, height in counting.items():
        names.setdefault(height, layer.name)
    # Without the gaps that a layer leaves which comes after itself.
    taken = sorted(names)
    level_of = {
        key: min(bisect_left(taken, height), max(len(taken) - 1, 0))
        for key, height in heights.items()
    }
    return level_of, [names[height] for height in taken]


def _climb(model, following, heights, counting):
    """Notes how many layers follow each weight in a model that `following` layers follow.

    Those that count are noted in `counting`; returns how many follow the model's input.
    """
    after, highest = {}, following
    for layer, call, feeding in _calls_from_the_end(model):
        height = before = after.get(call, following)
        if isinstance(layer, keras.Model):
            before = _climb(layer, height, heights, counting)
        elif isinstance(layer, keras.layers.Layer):
            for weight in layer.weights:
                heights[id(weight)] = max(height, heights.get(id(weight), 0))
            if any(len(weight.shape) > 1 for weight in layer.weights):
                counting[layer] = max(height, counting.get(layer, 0))
                before = height + 1
        for earlier in feeding:
            after[earlier] = max(before, after.get(earlier, following))
        highest = max(highest, before)
    for weight in model.weights:
        heights.setdefault(id(weight), max(following, highest - 1))
    return highest


def _calls_from_the_end(model):
    """Returns layers with a key for each call of them, and the keys of the calls that feed it."""
    by_depth = getattr(model, "_nodes_by_depth", None)
    if by_depth is None:
        # One after the other: as a Sequential has them, or as the model's class names them.
        return [(layer, i, [i + 1]) for i, layer in enumerate(reversed(model.layers))]
    return [
        (node.operation, id(node), [id(earlier) for earlier in node.parent_nodes])
        for depth in sorted(by_depth)
        for node in by_depth[depth]
    ]
