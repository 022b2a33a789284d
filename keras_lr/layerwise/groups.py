"""Groups of a model's trainable weights, by patterns of names or by depth."""

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
    """Returns a group per pattern, after the group of the weights that no pattern matches."""
    if not isinstance(multipliers, dict) or not multipliers:
        required = "a dictionary of multipliers by the names of layers or weights"
        checks.refuse("multipliers", required, multipliers)
    for pattern, multiplier in multipliers.items():
        if not isinstance(pattern, str):
            checks.refuse("multipliers", "a dictionary whose keys are strings", multipliers)
        checks.RATE(f"multipliers[{pattern!r}]", multiplier)
    paths = _paths_by_weight(model)
    left = {place: paths[id(weight)] for place, weight in enumerate(model.trainable_variables)}
    found = {}
    for pattern in multipliers:
        matched = [place for place in left if any(matches(pattern, path) for path in left[place])]
        if not matched:
            _refuse_pattern(pattern, model, paths)
        for place in matched:
            left.pop(place)
        found[pattern] = matched
    rest = [("rest", 1.0, list(left))] if left else []
    named = [(_readable(p), float(multipliers[p]), places) for p, places in found.items()]
    return _with_unique_names(rest + named)


def by_depth(model, decay):
    """Returns one group per level of a model, the last layers first, at `decay ** level`."""
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


def _paths_by_weight(model):
    """Returns the paths to each weight, by its id: several if its layer is shared."""
    paths = {}
    for weight, path in _paths(model, ()):
        paths.setdefault(id(weight), []).append(path)
    return paths


def _paths(layer, path):
    inner = set()
    for part in layers_inside(layer):
        yield from _paths(part, (*path, part.name))
        inner.update(id(weight) for weight in part.weights)
    for weight in layer.weights:
        if id(weight) not in inner:
            yield weight, (*path, weight.name)


def matches(pattern, path):
    """Tells whether a pattern names a weight or a layer on the path to it."""
    if "/" not in pattern:
        # Not the weight's own name, or "b*" would match biases; a model's own weight has no layer.
        return any(fnmatchcase(name, pattern) for name in path[:-1] or path)
    return any(fnmatchcase("/".join(path[:end]), pattern) for end in range(1, len(path) + 1))


def _refuse_pattern(pattern, model, paths):
    trainable = [id(weight) for weight in model.trainable_variables]
    matched = {key for key in paths if any(matches(pattern, path) for path in paths[key])}
    if matched.intersection(trainable):
        reason = "whose weights all match earlier patterns: put it before them"
    elif matched:
        reason = "whose weights are all frozen by `trainable = False`: drop it, or unfreeze them"
    else:
        found = [path for key in trainable for path in paths[key]]
        names = list(dict.fromkeys("/".join(path[:-1] or path) for path in found))
        more = f", and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
        reason = f"which matches none of {', '.join(names[:_MOST_LISTED])}{more}"
        reason += _for_weights(pattern, found)
    raise ValueError(
        f"`multipliers` must name trainable layers or weights of the model. Received: {pattern!r}, "
        + reason
    )


def _for_weights(pattern, paths):
    """Returns what to write if a pattern without a slash was meant for weights, as "*lora*"."""
    met = [path for path in paths if fnmatchcase(path[-1], pattern)]
    if "/" in pattern or not met:
        return ""
    short = "*/" + pattern.lstrip("*")
    suggestion = short if all(matches(short, path) for path in met) else f"*/{pattern}"
    return f". A pattern without a slash names layers; for weights, write {suggestion!r}"


def _readable(pattern):
    """Returns a pattern as the name of an optimizer, which on TensorFlow is a name scope."""
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
