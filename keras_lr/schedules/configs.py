"""Configs, which come from files: looked through before anything that they name is built."""

import itertools
import re
from collections.abc import Mapping

import keras

from keras_lr import checks

# Keras and Python go through a config by recursion, and stop at a thousand calls.
_DEEPEST, _MOST_PARTS = 200, 10**5
# What Keras writes for functions and numbers. Others of its words would build or read something.
_VALUES = ("function", "__lambda__", "__numpy__", "__tensor__")
_DTYPE = re.compile(r"(bfloat|float|u?int)\d{1,2}|bool")
_KEYS = ("module", "class_name", "config", "registered_name")


def require_small(config):
    """Raises ValueError unless a config can be gone through; returns the dictionaries in it."""
    level, parts = [config], []
    for _ in range(_DEEPEST):
        parts += level
        level = list(itertools.islice(_inside(level), _MOST_PARTS + 1))
        if len(parts) + len(level) > _MOST_PARTS:
            checks.refuse("config", f"made of at most {_MOST_PARTS} dictionaries and lists", config)
        if not level:
            return [part for part in parts if isinstance(part, dict)]
    checks.refuse("config", f"nested at most {_DEEPEST} levels deep", config)


def _inside(level):
    """Yields the dictionaries and lists right inside those of a level."""
    for part in level:
        if isinstance(part, (dict, list, tuple)):
            entries = part.values() if isinstance(part, dict) else part
            yield from (entry for entry in entries if isinstance(entry, (dict, list, tuple)))


def _require_harmless(config, custom_objects):
    """Raises ValueError if a config names anything but schedules and functions.

    A class or function may also be one that is registered with Keras, or one of `custom_objects`.
    """
    for part in require_small(config):
        if "class_name" in part and "config" in part:
            _require_harmless_object(part, custom_objects)


def _require_harmless_object(part, custom_objects):
    name, module = part["class_name"], part.get("module")
    registered = part.get("registered_name")
    if not isinstance(name, str) or not all(
        isinstance(n, str | None) for n in (module, registered)
    ):
        checks.refuse("config", "one in which names are strings", part)
    if part.get("build_config") or part.get("compile_config"):
        checks.refuse("config", f"that of a schedule: of {', '.join(_KEYS)}", part)
    if name in ("__numpy__", "__tensor__"):
        value = part["config"]
        if not isinstance(value, dict) or not _DTYPE.fullmatch(str(value.get("dtype"))):
            checks.refuse("config", "one in which arrays are of numbers", part)
    if name in _VALUES or _is_of_keras(name, module):
        return
    names = [n for n in (registered, name) if n is not None]
    if all(keras.saving.get_registered_object(n, custom_objects) is None for n in names):
        raise ValueError(
            "`config` must be a schedule, a function of the step or a number, each of keras_lr, of "
            "Keras' schedules, in `custom_objects`, or registered by "
            "`keras.saving.register_keras_serializable()`. "
            f"Received: {checks.shown(name)} of module {checks.shown(module)}"
        )


def _is_of_keras(name, module):
    found = getattr(keras.optimizers.schedules, name, None)
    return module == "keras.optimizers.schedules" and isinstance(found, type)


def revived(config, custom_objects=None):
    """Returns what a config describes; raises ValueError where that cannot be built."""
    _require_harmless(config, custom_objects)
    try:
        return keras.saving.deserialize_keras_object(config, custom_objects)
    except ValueError:
        raise
    except Exception as error:
        # Keras says what was wrong at the end of a long message.
        reason = str(error).rpartition("Exception encountered: ")[2].partition("\n")[0]
        required = f"one that fits its class, but {reason or type(error).__name__}".rstrip(".")
        checks.refuse("config", required, config)


def built(schedule_class, config):
    """Returns the schedule of a class whose arguments a config has."""
    if not isinstance(config, Mapping) or not all(isinstance(name, str) for name in config):
        required = f"a dictionary of the arguments of {schedule_class.__name__}"
        checks.refuse("config", required, config)
    arguments = {name: revived(value) for name, value in config.items()}
    try:
        return schedule_class(**arguments)
    except TypeError as error:
        raise ValueError(
            f"`config` must be one that fits its class, but {error}. "
            f"Received: config={checks.shown(config)}"
        ) from error
