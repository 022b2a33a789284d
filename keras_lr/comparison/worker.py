"""What runs in another process: a bench of its own, built once, and the runs it is sent."""

import os
import pickle
import site
import sys
import sysconfig
from typing import NamedTuple

import keras

from keras_lr.comparison.bench import Bench

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
    modules = _modules_of_the_user()
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


def _modules_of_the_user():
    """Returns the loaded modules of no installed package, which other machines lack."""
    installed = [
        sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
    ]
    installed += site.getsitepackages() + [site.getusersitepackages()]
    roots = tuple(os.path.realpath(path) + os.sep for path in installed)
    own = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))) + os.sep
    own = os.path.join(own, "keras_lr") + os.sep
    found = []
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if name == "__main__" or not path or module.__name__ != name:
            continue
        path = os.path.realpath(path)
        if path.endswith(".py") and not path.startswith(roots) and not path.startswith(own):
            found.append(module)
    return found
