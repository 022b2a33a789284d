"""Which layers of a model are trained, by the patterns of their names."""

from keras_lr import checks
from keras_lr.keras_private.layers import layers_inside
from keras_lr.layerwise.groups import matches

_MOST_LISTED = 40


class Freezing:
    """Freezes and unfreezes the layers of a model; what is frozen by itself stays so.

    >>> import keras
    >>> layers = [keras.layers.Dense(1, name=name) for name in ("body", "head")]
    >>> model = keras.Sequential([keras.Input((1,)), *layers])
    >>> Freezing(model).train_only(["head*"])
    >>> [layer.trainable for layer in layers]
    [False, True]
    """

    def __init__(self, model):
        self._model, self._holders = model, {}
        for layer, path, own in _holders(model, (), set()):
            self._holders.setdefault(id(layer), (layer, [], own))[1].append(path)
        # As the kernel of a layer with LoRA, and statistics.
        self._fixed = [
            weight
            for layer, _, own in self._holders.values()
            for weight in own
            if layer.trainable and not weight.trainable
        ]
        self._at_first = [(layer, layer.trainable) for layer, _, _ in self._holders.values()]

    def train_only(self, patterns):
        """Makes those layers trainable that a pattern matches, and no others."""
        matched = set()
        for pattern in patterns:
            found = {k for k, (_, paths, _) in self._holders.items() if _is_met(pattern, paths)}
            if not found:
                names = ["/".join(p) for _, paths, _ in self._holders.values() for p in paths if p]
                more = f", and {len(names) - _MOST_LISTED} more" if names[_MOST_LISTED:] else ""
                checks.refuse(
                    "train",
                    f"patterns that match one of {', '.join(names[:_MOST_LISTED])}{more}",
                    pattern,
                )
            matched |= found
        self._set({key: key in matched for key in self._holders})

    def put_back(self):
        """Makes those layers trainable that were so at first."""
        self._set({id(layer): trainable for layer, trainable in self._at_first})

    def _set(self, trainable):
        # All that a layer is inside of has to be trainable, or Keras passes over it.
        for layer in _containers(self._model):
            layer.trainable = True
        for key, (layer, _, own) in self._holders.items():
            if not layers_inside(layer):
                layer.trainable = trainable[key]
            elif not trainable[key]:
                for weight in own:
                    weight.trainable = False
        for weight in self._fixed:
            weight.trainable = False


def _is_met(pattern, paths):
    return any(matches(pattern, (*path, "")) for path in paths)


def _containers(layer):
    """Yields the layers that have others inside, the outermost first."""
    inside = layers_inside(layer)
    if inside:
        yield layer
    for part in inside:
        yield from _containers(part)


def _holders(layer, path, inner):
    """Yields the layers with weights of their own, each with its path and these weights."""
    below = set()
    for part in layers_inside(layer):
        yield from _holders(part, (*path, part.name), below)
    own = [weight for weight in layer.weights if id(weight) not in below]
    if own:
        yield layer, path, own
    inner.update(below, map(id, own))
