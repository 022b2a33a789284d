"""`import keras_lr`, and its command, bring in nothing that Keras has not brought in already."""

import json
import subprocess
import sys

SCRIPT = """
import json, sys
import keras
before = set(sys.modules)
import keras_lr.__main__
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_nothing_but_keras_lr_and_the_standard_library_is_loaded():
    output = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    ).stdout
    loaded = {name.partition(".")[0] for name in json.loads(output.splitlines()[-1])}
    assert loaded - set(sys.stdlib_module_names) == {"keras_lr"}


def test_public_names_are_there():
    import keras_lr

    for name in ("schedules", "callbacks", "scale_learning_rate", "plot_schedules"):
        assert hasattr(keras_lr, name), name
