"""Schedules by name and by config."""

import re

import keras

from keras_lr import checks
from keras_lr.schedules import configs
from keras_lr.schedules.base import DEFINED, Schedule
from keras_lr.schedules.coerce import as_schedule
from keras_lr.schedules.importers import optax, torch, transformers
from keras_lr.schedules.importers.shared import call, close_to

# What users of Keras, PyTorch and Transformers type, besides the names that follow from classes'.
_ALIASES = {
    "cosine_with_restarts": "CosineDecayRestarts",
    "CyclicLR": "CyclicalLearningRate",
    "inverse_sqrt": "InverseSquareRootDecay",
    "LambdaLR": "LambdaDecay",
    "MultiStepLR": "MultiStepDecay",
    "sgdr": "CosineDecayRestarts",
    "StepLR": "StepDecay",
    "wsd": "WarmupStableDecay",
}
# Aliases of version 0.1.0, each with the name to write instead.
_FORMER = {
    "1cycle": "one_cycle", "clr": "cyclical_learning_rate", "cosine_annealing": "cosine",
    "cosine_restarts": "cosine_decay_restarts", "cosine_with_warmup": "warmup_cosine",
    "cyclic": "cyclical_learning_rate", "cyclical": "cyclical_learning_rate", "exp": "exponential",
    "htd": "tanh", "linear_with_warmup": "linear_to_zero", "log_uniform": "random_log_uniform",
    "multistep": "multi_step", "natural_exp": "natural_exponential", "onecycle": "one_cycle",
    "poly": "polynomial", "rsqrt": "inverse_square_root", "stlr": "slanted_triangular",
    "transformer": "noam", "trapezoidal": "warmup_stable", "uniform": "random_uniform",
}  # fmt: skip
_FRAMEWORKS = {"from_torch": torch, "from_optax": optax, "from_transformers": transformers}


def get(identifier, **arguments) -> Schedule:
    """Returns the schedule of a name, a config, or anything that can be a schedule.

    A name is the name of a class, its snake_case, with or without `_decay`, or an alias; `names()`
    lists them all. It stands for our class, with our arguments and conventions, even where another
    framework uses the same name: "linear" ends at 0 at `decay_steps`, "polynomial" at Keras'
    0.0001, "cosine" is held after `decay_steps`, "sgdr" doubles its cycles. For another framework's
    arguments and conventions see `from_torch`, `from_optax` and `from_transformers`.

    >>> from keras_lr import schedules
    >>> schedules.get("cosine", initial_learning_rate=0.1, decay_steps=1000)
    CosineDecay(0.1, 1000)
    >>> schedules.get({"class_name": "LinearDecay", "config": {"initial_learning_rate": 0.1,
    ...                                                        "decay_steps": 90}})
    LinearDecay(0.1, 90)
    >>> schedules.get(0.1)
    Constant(0.1)

    A config is what `serialize` or Keras returns, or a dictionary of `class_name`, any name, and
    `config`, its arguments. A schedule of ours is returned as it is; Keras' own, functions of the
    step and numbers are converted. Raises ValueError for anything else, and for arguments without
    a name.
    """
    if isinstance(identifier, str):
        return _built(identifier, arguments)
    if arguments:
        checks.refuse("identifier", "a name if arguments are given", identifier)
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return as_schedule("identifier", identifier)


def names():
    """Returns the names that `get` accepts, sorted, each with the name of its class.

    >>> from keras_lr import schedules
    >>> schedules.names()["sgdr"]
    'CosineDecayRestarts'
    >>> [name for name, class_name in schedules.names().items() if class_name == "StepDecay"]
    ['StepDecay', 'StepLR', 'step', 'step_decay']
    """
    return {name: _CLASSES[name].__name__ for name in sorted(_CLASSES)}


def serialize(schedule):
    """Returns a schedule as a dictionary, ready for JSON, in the form of Keras.

    >>> from keras_lr import schedules
    >>> config = schedules.serialize(schedules.LinearDecay(0.1, 90))
    >>> config["class_name"], schedules.deserialize(config)
    ('LinearDecay', LinearDecay(0.1, 90))
    """
    return keras.saving.serialize_keras_object(as_schedule("schedule", schedule))


def deserialize(config, custom_objects=None) -> Schedule:
    """Returns the schedule of a config that `serialize`, or Keras, returned.

    In a config without `module`, at any depth, `class_name` may be any of our names.
    `custom_objects` has the classes and functions that are not registered with Keras. Raises
    ValueError for other configs; Keras' safe mode does not load lambdas.
    """
    if not isinstance(custom_objects, dict | None):
        checks.refuse("custom_objects", "a dictionary of classes and functions", custom_objects)
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        checks.refuse("config", "a dictionary with class_name and config", config)
    if "module" not in config and config["class_name"] not in (custom_objects or {}):
        _class_of(config["class_name"])
    configs.require_small(config)
    return as_schedule("config", configs.revived(_located(config), custom_objects))


def _located(config):
    """Returns a config in which our names without a module say where their class is."""
    if isinstance(config, list):
        return [_located(entry) for entry in config]
    if not isinstance(config, dict):
        return config
    config = {key: _located(value) for key, value in config.items()}
    name = config.get("class_name")
    found = _CLASSES.get(name) if isinstance(name, str) and "module" not in config else None
    if found is None:
        return config
    registered = keras.saving.get_registered_name(found)
    place = {"module": found.__module__, "registered_name": registered}
    return {**config, "class_name": found.__name__, **place}


def _built(name, arguments):
    schedule_class = _class_of(name)
    try:
        return call("get", name, schedule_class, arguments)
    except ValueError as error:
        for hint in _elsewhere(name):
            error.add_note(hint)
        raise


def _class_of(name):
    if name in _CLASSES:
        return _CLASSES[name]
    close = [_FORMER[name]] if name in _FORMER else close_to(name, _CLASSES)
    known = "one of `keras_lr.schedules.names()`" + (
        f" (did you mean {', '.join(map(repr, close))}?)" if close else ""
    )
    checks.refuse("identifier", "; ".join([known, *_elsewhere(name)]), name)


def _elsewhere(name):
    """Returns hints: which translation takes a name with its framework's own arguments."""
    return [
        f"see `{translate}({name!r}, …)` for that framework's own arguments"
        for translate, framework in _FRAMEWORKS.items()
        if name in framework.TRANSLATIONS or name in framework.REFUSALS
    ]


def _by_name(defined):
    """Returns the public classes of the package by each of their names."""
    public = [c for c in defined if not c.__name__.startswith("_")]
    classes = {}
    for schedule in public:
        # What other schedules derive from has no formula of its own.
        if any(other is not schedule and issubclass(other, schedule) for other in public):
            continue
        snake = re.sub(r"(?<=.)(?=[A-Z])", "_", schedule.__name__).lower()
        for name in (schedule.__name__, snake, snake.removesuffix("_decay")):
            classes[name] = schedule
    return classes | {alias: classes[name] for alias, name in _ALIASES.items()}


# Taken when the package is imported, after its last class: a class of a user is not a name.
_CLASSES = _by_name(DEFINED)
