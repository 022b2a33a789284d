"""Keeps TensorFlow's greetings out of what the commands print.

Compiled code writes them to the file of stderr while Keras is imported, whatever
`TF_CPP_MIN_LOG_LEVEL` says then; what comes later heeds it. So the package's first import asks
whether it is that of a command. In a script or notebook nothing is changed.
"""

import os
import pathlib
import re
import sys
import tempfile

_GREETING = re.compile(r"[IWE]\d{4} |WARNING: All log messages before absl|To enable the following")


def is_command(argv, command_line):
    """Tells whether this process is one of our commands, as `sys.argv` and `sys.orig_argv` say.

    >>> is_command(["-m"], ["python", "-m", "keras_lr", "plot"])
    True
    >>> is_command(["bin/keras-lr", "plot"], ["python", "bin/keras-lr", "plot"])
    True
    >>> is_command(["train.py", "keras_lr"], ["python", "train.py", "keras_lr"])
    False
    """
    program = argv[0] if argv else ""
    if program == "-m":
        # So it is while Python looks for the module that it runs.
        flags = (i for i, word in enumerate(command_line) if word == "-m")
        return command_line[next(flags, 0) + 1 :][:1] == ["keras_lr"]
    return pathlib.PurePath(program).stem == "keras-lr"


def without_greetings(text):
    """Returns the lines that compiled code did not log.

    >>> without_greetings("I0000 00:00:17 a.cc:153] no GPU\\nUserWarning: look\\n")
    'UserWarning: look\\n'
    """
    return "".join(line for line in text.splitlines(True) if not _GREETING.match(line))


def import_keras():
    """Imports Keras; what was written to stderr meanwhile follows, without greetings."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            import keras  # noqa: F401
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            sys.stderr.write(without_greetings(held.read().decode(errors="replace")))


if is_command(sys.argv, sys.orig_argv):
    import_keras()
