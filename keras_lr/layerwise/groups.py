"""Which weights have which rate: groups of a model's trainable weights."""

import re
from fnmatch import fnmatchcase
from typing import NamedTuple

from keras_lr import checks
from keras_lr.keras_private.layers import layers_inside
from keras_lr.layerwise.depth import levels

_MOST_LISTED = 40


class Group(NamedTuple):
    """A name, a multiplier, and the places of its weights in `model.trainable_variables`."""

    name: str
    multiplier: float
    places: list


def by_pattern(model, multipliers):
    """Returns the groups that the patterns make, the weights that none matches first."""
    if not isinstance(multipliers, dict) or not multipliers:
        required = "a dictionary of multipliers by the names of layers or weights"
        checks.refuse("multipliers", required, multipliers)
    for pattern, multiplier in multipliers.items():
        if not isinstance(pattern, str):
            checks.refuse("multipliers", "a dictionary whose keys are strings", multipliers)
        checks.RATE(f"multipliers[{pattern!r}]", multiplier)
    ways = _ways_by_weight(model)
    left = {place: ways[id(weight)] for place, weight in enumerate(model.trainable_variables)}
    found = {}
    for pattern in multipliers:
        matched = [place for place in left if any(_matches(pattern, way) for way in left[place])]
        if not matched:
            _refuse_pattern(pattern, model, ways)
        for place in matched:
            left.pop(place)
        found[pattern] = matched
    rest = [("rest", 1.0, list(left))] if left else []
    named = [(_readable(p), float(multipliers[p]), places) for p, places in found.items()]
    return _with_unique_names(rest + named)


def by_depth(model, decay):
    """Returns one group per level of a model, the last layers first: `decay ** level`."""
    decay = checks.Number(above=0, maximum=1)("decay", decay)
    level_of, names = levels(model)
    if len(names) < 2:
        raise ValueError(
            "`decay` must be given for a model of two or more layers that hold a matrix of "
            f"weights. Received: {len(names)} in the model {model.name}"
        )
    places = {}
    for place, weight in enumerate(model.trainable_variables):
        places.setdefault(level_of[id(weight)], []).append(place)
    return _with_unique_names(
        (_readable(names[level]), decay**level, places[level]) for level in sorted(places)
    )


def _ways_by_weight(model):
    """Returns the ways that lead to each weight, by its id: several where layers are shared."""
    ways = {}
    for weight, way in _ways(model, ()):
        ways.setdefault(id(weight), []).append(way)
    return ways


def _ways(layer, way):
    inner = set()
    for part in layers_inside(layer):
        yield from _ways(part, (*way, part.name))
        inner.update(id(weight) for weight in part.weights)
    for weight in layer.weights:
        if id(weight) not in inner:
            yield weight, (*way, weight.name)


def _matches(pattern, way):
    if "/" not in pattern:
        # Layers only, or "b*" would be the biases too; a model's own weight has no layer.
        return any(fnmatchcase(name, pattern) for name in way[:-1] or way)
    return any(fnmatchcase("/".join(way[:end]), pattern) for end in range(1, len(way) + 1))


def _refuse_pattern(pattern, model, ways):
    trainable = [id(weight) for weight in model.trainable_variables]
    matched = {key for key in ways if any(_matches(pattern, way) for way in ways[key])}
    if matched.intersection(trainable):
        reason = "whose weights all match earlier patterns: list it before them"
    elif matched:
        reason = "whose weights are all frozen by `trainable = False`: leave it out, or unfreeze"
    else:
        layers = dict.fromkeys("/".join(way[:-1] or way) for key in trainable for way in ways[key])
        names = list(layers)
        more = f", and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
        reason = f"which matches none of {', '.join(names[:_MOST_LISTED])}{more}"
    raise ValueError(
        f"`multipliers` must name trainable layers or weights of the model. Received: {pattern!r}, "
        + reason
    )


def _readable(pattern):
    """Returns what of a name may stand in the name of an optimizer, a scope on TensorFlow."""
    return re.sub("[^A-Za-z0-9_.-]+", "_", pattern).strip("_.-") or "all"


def _with_unique_names(groups):
    used, named = set(), []
    for name, multiplier, places in groups:
        unique, count = name, 1
        while unique in used:
            count += 1
            unique = f"{name}_{count}"
        used.add(unique)
        named.append(Group(unique, multiplier, places))
    return named
