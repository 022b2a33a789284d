"""MODULE:FUNCTION: the user's function that makes a model and its data."""

import argparse
import contextlib
import importlib
import importlib.util
import inspect
import os
import pathlib
import sys

import keras


class OwnError(Exception):
    """The user's code raised an exception, which is the cause of this one."""


def read(text):
    """Returns the module or file, and the function, that the option names.

    >>> read("train:make"), read("runs/train.py:make")
    (('train', 'make'), ('runs/train.py', 'make'))
    """
    module, _, function = text.rpartition(":")
    relative = module.startswith(".") and not module.endswith(".py")
    if not module or relative or not function.isidentifier():
        raise argparse.ArgumentTypeError(
            "must be a module or the path of a .py file, a colon, and a function in it, such as "
            f"train:make. Received: {text!r}"
        )
    return module, function


def call(module, function):
    """Imports the module and returns what its function returns.

    The current folder is on the path, and so is the folder of a file. Raises `ValueError` if there
    is no such module or function, and `OwnError` if their code raises.
    """
    found = _imported(module)
    _require_back_end(module)
    make = getattr(found, function, None)
    if not callable(make):
        functions = [name for name, value in vars(found).items() if inspect.isfunction(value)]
        there = ", ".join(functions) or "no functions"
        raise ValueError(
            f"FUNCTION must be a function of {module}, which has {there}. Received: {function!r}"
        )
    try:
        inspect.signature(make).bind()
    except TypeError as error:
        given = f"{function}{inspect.signature(make)}: {error}"
        raise ValueError(f"FUNCTION must take no arguments. Received: {given}") from None
    with _own_errors():
        return make()


def _imported(module):
    if os.getcwd() not in sys.path:
        # `python -m` puts it there; the installed command does not.
        sys.path.insert(0, os.getcwd())
    if module.endswith(".py"):
        return _imported_file(pathlib.Path(module))
    with _own_errors():
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            # A module that it imports itself and that is missing is the user's error.
            if not f"{module}.".startswith(f"{error.name}."):
                raise
    raise ValueError(
        f"MODULE must be a module that can be imported from {os.getcwd()}, or the path of a .py "
        f"file. Received: {module!r}"
    )


def _imported_file(path):
    if not path.is_file():
        raise ValueError(f"MODULE must be a file that exists. Received: {str(path)!r}")
    # As for a script: modules in its folder can be imported.
    sys.path.insert(0, str(path.parent.resolve()))
    # A module of that name that is loaded, perhaps of the standard library, is not replaced.
    name = f"{path.stem}_" if path.stem in sys.modules else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    # Pickling and dataclasses look for it there.
    sys.modules[name] = module
    with _own_errors():
        spec.loader.exec_module(module)
    return module


def _require_back_end(module):
    wanted, used = os.environ.get("KERAS_BACKEND"), keras.config.backend()
    if wanted and wanted != used:
        raise ValueError(
            f"KERAS_BACKEND must be set before the command: {module} sets it after Keras is "
            f"loaded. Run KERAS_BACKEND={wanted} python -m keras_lr …. Received: {used!r}"
        )


@contextlib.contextmanager
def _own_errors():
    try:
        yield
    except (Exception, SystemExit) as error:
        raise OwnError from error
