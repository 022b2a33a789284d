"""Schedules by name, by config, or as they are."""

import functools
import inspect
import re

import keras

from keras_lr import checks
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.function import as_schedule
from keras_lr.schedules.importers import optax, torch, transformers
from keras_lr.schedules.importers.shared import call, close_to

# What people type who come from elsewhere, beside the names that follow from the classes'.
_ALIASES = {
    "1cycle": "OneCycle",
    "clr": "CyclicalLearningRate",
    "cosine_annealing": "CosineDecay",
    "cosine_restarts": "CosineDecayRestarts",
    "cosine_with_restarts": "CosineDecayRestarts",
    "cosine_with_warmup": "WarmupCosine",
    "cyclic": "CyclicalLearningRate",
    "cyclical": "CyclicalLearningRate",
    "CyclicLR": "CyclicalLearningRate",
    "exp": "ExponentialDecay",
    "htd": "TanhDecay",
    "inverse_sqrt": "InverseSquareRootDecay",
    "LambdaLR": "LambdaDecay",
    "linear_with_warmup": "LinearToZero",
    "log_uniform": "RandomLogUniform",
    "multistep": "MultiStepDecay",
    "MultiStepLR": "MultiStepDecay",
    "natural_exp": "NaturalExponentialDecay",
    "onecycle": "OneCycle",
    "poly": "PolynomialDecay",
    "rsqrt": "InverseSquareRootDecay",
    "sgdr": "CosineDecayRestarts",
    "StepLR": "StepDecay",
    "stlr": "SlantedTriangular",
    "transformer": "NoamDecay",
    "trapezoidal": "WarmupStableDecay",
    "uniform": "RandomUniform",
    "wsd": "WarmupStableDecay",
}
_FRAMEWORKS = {"from_torch": torch, "from_optax": optax, "from_transformers": transformers}


def get(identifier, **arguments):
    """Returns a schedule by its name, from its config, or as one of ours if it is one already.

    A name is a class name of this package, its snake_case, that without `_decay`, or an alias:
    `names()` has all. It stands for that class, with our arguments and our conventions, whoever
    else uses the name: "linear" ends at 0 at `decay_steps`, "polynomial" at Keras' 0.0001,
    "cosine" is held after `decay_steps`, "sgdr" doubles its cycles. For another framework's own
    arguments and conventions see `from_torch`, `from_optax` and `from_transformers`.

    >>> from keras_lr import schedules
    >>> schedules.get("cosine", initial_learning_rate=0.1, decay_steps=1000)
    CosineDecay(0.1, 1000)
    >>> schedules.get({"class_name": "LinearDecay", "config": {"initial_learning_rate": 0.1,
    ...                                                        "decay_steps": 90}})
    LinearDecay(0.1, 90)
    >>> schedules.get(0.1)
    Constant(0.1)

    A config is what `serialize` or Keras gives, or `class_name`, any name, with `config`, its
    arguments. A schedule of ours is returned as it is; Keras' own, functions of the step and
    numbers become ours. Raises ValueError for anything else, and for arguments without a name.
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
    return {name: _classes()[name].__name__ for name in sorted(_classes())}


def serialize(schedule):
    """Returns a schedule as Keras' saving does: a dictionary, ready for JSON.

    >>> from keras_lr import schedules
    >>> config = schedules.serialize(schedules.LinearDecay(0.1, 90))
    >>> config["class_name"], schedules.deserialize(config)
    ('LinearDecay', LinearDecay(0.1, 90))
    """
    return keras.saving.serialize_keras_object(as_schedule("schedule", schedule))


def deserialize(config, custom_objects=None):
    """Returns the schedule of a config that `serialize`, or Keras, made of one.

    Where a config, or one inside it, has no `module`, `class_name` may be any name of ours.
    `custom_objects` names classes and functions that are not registered with Keras. Raises
    ValueError for what is no schedule's config; lambdas are not loaded in Keras' safe mode.
    """
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        checks.refuse("config", "a dictionary with class_name and config", config)
    if "module" not in config and config["class_name"] not in (custom_objects or {}):
        _class_of(config["class_name"])
    try:
        revived = keras.saving.deserialize_keras_object(_located(config), custom_objects)
    except TypeError as error:
        # Keras says what was wrong at the end of a page about something else.
        reason = str(error).rpartition("Exception encountered: ")[2]
        required = f"one that fits its class, but {reason}".rstrip(".")
        raise ValueError(f"`config` must be {required}. Received: config={config!r}") from error
    return as_schedule("config", revived)


def _located(config):
    """Returns a config in which names of ours without a module say where their class is."""
    if isinstance(config, list):
        return [_located(entry) for entry in config]
    if not isinstance(config, dict):
        return config
    config = {key: _located(value) for key, value in config.items()}
    found = None if "module" in config else _classes().get(config.get("class_name"))
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
    if name in _classes():
        return _classes()[name]
    close = ", ".join(map(repr, close_to(name, _classes())))
    known = "one of `keras_lr.schedules.names()`" + (f" (did you mean {close}?)" if close else "")
    checks.refuse("identifier", "; ".join([known, *_elsewhere(name)]), name)


def _elsewhere(name):
    """Returns where a name goes with the arguments of another framework, in words."""
    return [
        f"see `{translate}({name!r}, …)` for that framework's own arguments"
        for translate, framework in _FRAMEWORKS.items()
        if name in framework.TRANSLATIONS or name in framework.REFUSALS
    ]


@functools.cache
def _classes():
    """Returns the public classes of the package by each of their names."""
    from keras_lr import schedules

    public = [c for c in vars(schedules).values() if inspect.isclass(c) and issubclass(c, Schedule)]
    classes = {}
    for schedule in public:
        # What other schedules derive from has no formula of its own.
        if any(other is not schedule and issubclass(other, schedule) for other in public):
            continue
        snake = re.sub(r"(?<=.)(?=[A-Z])", "_", schedule.__name__).lower()
        for name in (schedule.__name__, snake, snake.removesuffix("_decay")):
            classes[name] = schedule
    return classes | {alias: classes[name] for alias, name in _ALIASES.items()}
