"""How many layers follow a weight on the longest path to the output."""

from bisect import bisect_left

import keras

from keras_lr.keras_private.layers import calls_from_the_end


def levels(model):
    """Returns the level of each weight, by its id, and the names of the levels from 0 on.

    Level 0 is the last layer that counts. A layer counts, once, if it holds a matrix of weights,
    frozen or not. A layer that only scales and shifts, such as a normalisation, has the level of
    the layer before it. Nested models are taken apart; layers made of layers are not. A model's own
    weights, such as a class token, have the level of its first layer.

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
    # A layer that is called twice, also before itself, leaves a gap: levels are numbered without.
    taken = sorted(names)
    level_of = {
        key: min(bisect_left(taken, height), max(len(taken) - 1, 0))
        for key, height in heights.items()
    }
    return level_of, [names[height] for height in taken]


def _climb(model, following, heights, counting):
    """Notes how many layers follow each weight of a model that `following` layers follow.

    Those that count are noted in `counting`. Returns how many follow the model's input.
    """
    after, highest = {}, following
    for layer, call, feeding in calls_from_the_end(model):
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
