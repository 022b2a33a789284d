"""What runs in another process: a bench of its own, built once, and the runs it is sent."""

import os
import pickle
import site
import sys
import sysconfig
from typing import NamedTuple

import keras

from keras_lr.comparison.bench import Bench

# This package, which is installed wherever there are workers.
_OWN = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
# The bench of the plan that was worked on last.
_held: dict = {}


class Package(NamedTuple):
    """A plan as it travels: its digest, and its bytes, or the path of the file that has them."""

    digest: str
    backend: str
    floatx: str
    policy: str
    content: bytes | None
    path: str | None = None

    def open(self):
        """Returns the plan."""
        content = self.content
        if content is None:
            with open(self.path, "rb") as file:
                content = file.read()
        return pickle.loads(content)


def work(package, task):
    """Makes a run; the first one of a plan builds the bench for it."""
    if package.digest not in _held:
        if keras.config.backend() != package.backend:
            raise ValueError(
                "All workers must be started with the same back end as the process that compares, "
                f"KERAS_BACKEND={package.backend}. Received: {keras.config.backend()}"
            )
        keras.config.set_floatx(package.floatx)
        keras.config.set_dtype_policy(package.policy)
        _held.clear()
        _held[package.digest] = Bench(package.open())
    return _held[package.digest].make(task)


def pack(plan, digest):
    """Returns a plan as it travels: functions of the user's own modules go by value."""
    try:
        import cloudpickle
    except ImportError as error:
        raise ImportError(
            "Runs in other processes need cloudpickle, which is not installed: pip install "
            "'keras_lr[workers]'"
        ) from error
    modules = _modules_of_the_user(plan)
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        content = cloudpickle.dumps(plan)
    except Exception as error:
        raise ValueError(
            "`build_model`, `data` and `schedules` must be such that they can be sent to another "
            f"process: make what cannot inside of a function. Received: {error}"
        ) from error
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    policy = keras.config.dtype_policy().name
    return Package(digest, keras.config.backend(), keras.config.floatx(), policy, content)


def _modules_of_the_user(plan):
    """Returns the loaded modules beside those that a plan's functions are from.

    Other machines do not have them, unless they belong to an installed package.
    """
    paths = "stdlib", "platstdlib", "purelib", "platlib"
    installed = [sysconfig.get_path(name) for name in paths]
    installed += [*site.getsitepackages(), site.getusersitepackages(), _OWN]
    installed = tuple(os.path.realpath(path) + os.sep for path in installed)
    folders = {_folder_of(each) for each in [*_modules_named_by(plan), sys.modules["__main__"]]}
    folders = tuple(folder + os.sep for folder in folders - {None})
    found = []
    for name, module in list(sys.modules.items()):
        path = os.path.realpath(getattr(module, "__file__", None) or "")
        is_whole = path.endswith(".py") and name not in ("__main__", "__mp_main__")
        if is_whole and path.startswith(folders) and not path.startswith(installed):
            found.append(module)
    return [module for module in found if sys.modules.get(module.__name__) is module]


def _modules_named_by(plan):
    """Yields the modules that what the user gave was defined in."""
    given = keras.tree.flatten([plan.build_model, plan.data, plan.schedules])
    for each in given:
        name = getattr(each, "__module__", None) or type(each).__module__
        if name in sys.modules:
            yield sys.modules[name]


def _folder_of(module):
    """Returns the folder from which a module is imported: the one above its package."""
    path = getattr(module, "__file__", None)
    if path is None:
        return None
    depth = module.__name__.count(".") + os.path.basename(path).startswith("__init__.")
    path = os.path.dirname(os.path.realpath(path))
    for _ in range(depth):
        path = os.path.dirname(path)
    return path
