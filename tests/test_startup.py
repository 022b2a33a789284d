"""The commands greet nobody: what they write to stderr is their own."""

import os
import subprocess
import sys

import keras
import pytest
from support.tiers import rest

from keras_lr import _startup


@pytest.mark.parametrize(
    "words, command",
    [
        (["-m", "keras_lr", "plot"], True),
        (["-X", "dev", "-m", "keras_lr"], True),
        (["-m", "keras_lr.demo"], False),
        (["-m", "pytest", "-m", "keras_lr"], False),
        (["-c", "import keras_lr"], False),
    ],
)
def test_a_command_is_told_from_other_programs(words, command):
    first = "-m" if "-m" in words else "-c"
    assert _startup.is_command([first], ["python", *words]) is command


@pytest.mark.parametrize("argv", [[], [""], ["train.py"], ["keras_lr.py"]])
def test_a_script_is_no_command(argv):
    assert not _startup.is_command(argv, ["python", *argv])


def test_what_was_held_back_is_written_when_keras_cannot_be_imported():
    script = "import sys; sys.argv = ['keras-lr']; sys.modules['keras'] = None; import keras_lr"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.rstrip().endswith("import of keras halted; None in sys.modules")


@rest
@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow is who greets")
def test_help_is_all_that_is_printed():
    environment = {**os.environ}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    command = [sys.executable, "-m", "keras_lr", "--help"]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert run.stdout.startswith("usage: keras-lr")
    assert run.stderr == ""
