"""How a model is made of layers: which are inside, and which calls feed which."""

import keras


def layers_inside(layer):
    """Returns the layers inside a model or layer, one level down."""
    if isinstance(layer, keras.Model):
        return layer.layers
    return layer._flatten_layers(include_self=False, recursive=False)


def calls_from_the_end(model):
    """Returns each call of a layer, the last first: layer, key, and keys of the calls that feed it.

    A layer that is shared is called several times. What is no functional model is taken as a chain
    in the order of its `layers`: that of a Sequential, or of a subclass's attributes.
    """
    by_depth = getattr(model, "_nodes_by_depth", None)
    if by_depth is None:
        return [(layer, i, [i + 1]) for i, layer in enumerate(reversed(model.layers))]
    return [
        (node.operation, id(node), [id(earlier) for earlier in node.parent_nodes])
        for depth in sorted(by_depth)
        for node in by_depth[depth]
    ]
