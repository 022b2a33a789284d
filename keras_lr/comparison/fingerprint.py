"""What a run depends on, in a few letters: results are kept under them, and found again."""

import hashlib
import importlib.metadata
import json
import re
import types

import keras
import numpy as np

from keras_lr._version import __version__
from keras_lr.keras_private.step_state import RATE

_DEEPEST = 6
# Bytes, of each part that a function makes.
_MOST_READ = 2**26
_ADDRESS = re.compile(" at 0x[0-9a-f]+")


def digest(*values):
    """Returns a digest of texts, numbers, None and arrays, the same in every process.

    >>> digest("a", np.ones(2)) == digest("a", np.ones(2)), digest("a", 1) == digest("a", 2)
    (True, False)
    """
    found = hashlib.blake2b(digest_size=16)
    for value in values:
        if isinstance(value, np.ndarray):
            found.update(f"{value.dtype}{value.shape}".encode())
            found.update(np.ascontiguousarray(value).tobytes())
        else:
            found.update(json.dumps(value).encode())
        found.update(b"\0")
    return found.hexdigest()


def described(value, deep=0):
    """Returns what an object is made of as text: classes, numbers, and the code of functions.

    >>> described([keras.callbacks.TerminateOnNaN]) == described([keras.callbacks.CSVLogger])
    False
    >>> described(lambda rate: 2 * rate) == described(lambda rate: 3 * rate)
    False
    """
    if isinstance(value, (str, bytes, int, float, type(None))):
        return repr(value)
    if deep > _DEEPEST:
        return type(value).__name__
    if isinstance(value, (list, tuple)):
        return str([described(each, deep + 1) for each in value])
    if isinstance(value, (set, frozenset)):
        return str(sorted(described(each, deep + 1) for each in value))
    if isinstance(value, dict):
        return str([(str(k), described(each, deep + 1)) for k, each in value.items()])
    if isinstance(value, types.FunctionType):
        return _of_function(value, deep)
    if isinstance(value, (np.ndarray, np.generic)):
        return digest(np.asarray(value))
    name = getattr(value, "__qualname__", type(value).__qualname__)
    inside = getattr(value, "__dict__", None)
    if isinstance(value, (type, types.ModuleType)) or not isinstance(inside, dict):
        return name
    kept = {k: v for k, v in inside.items() if not isinstance(v, keras.Model)}
    return name + described(kept, deep + 1)


def _of_function(function, deep):
    code = function.__code__
    constants = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
    nested = [c.co_code.hex() for c in code.co_consts if isinstance(c, types.CodeType)]
    held = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    parts = [function.__qualname__, code.co_code.hex(), list(code.co_names), nested]
    return described([*parts, constants, held, function.__defaults__], deep + 1)


def _is_filled(cell):
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def versions():
    """Returns what else results depend on."""
    backend = keras.config.backend()
    engine = importlib.metadata.version(backend)
    return [__version__, keras.__version__, backend, engine, np.__version__, keras.config.floatx()]


def of_data(parts):
    """Returns a digest of all data: of arrays whole, of what a function makes the first 64 MiB."""
    found = []
    for name, given in parts.given.items():
        read = parts.batches(name) if callable(given) else [given]
        found.append(digest(name, *_of_batches(read)))
    return digest(*found)


def _of_batches(batches):
    """Yields a digest of each batch, until enough has been read."""
    size = 0
    for batch in batches:
        arrays = [_array(value) for value in keras.tree.flatten(list(batch))]
        yield digest(*arrays)
        size += sum(array.nbytes for array in arrays)
        if size >= _MOST_READ:
            return


def of_model(model, values):
    """Returns a digest of a new compiled model: its layers, first values, optimizer and losses.

    `values` are pairs of a cell and its value. Names that Keras counts through do not matter, nor
    does the rate.
    """
    texts = [type(model).__qualname__]
    for describe in (model.get_config, lambda: model.get_compile_config() or {}):
        try:
            texts.append(json.dumps(_without_names(describe()), default=str, sort_keys=True))
        except Exception:
            # A class of the user's own without a config: what it holds and counts is left.
            texts.append("")
    for layer in model.layers:
        texts[1] = texts[1].replace(json.dumps(layer.name), '""')
    texts = [_ADDRESS.sub("", text) for text in texts]
    return digest(*texts, *[value for cell, value in values if cell.kind != RATE])


def _without_names(config):
    if isinstance(config, dict):
        left_out = "name", "learning_rate", "registered_name"
        return {k: _without_names(v) for k, v in config.items() if k not in left_out}
    if isinstance(config, (list, tuple)):
        return [_without_names(each) for each in config]
    return config


def _array(value):
    return np.asarray(keras.ops.convert_to_numpy(value))
