"""`keras-lr find`: the range test on the user's model and data."""

import inspect
import json
import pathlib
import re
import sys
import traceback

import keras

from keras_lr import checks
from keras_lr.commands import options as kinds
from keras_lr.commands import target
from keras_lr.commands.advice import lines_about
from keras_lr.commands.output import INSTALL_PLOT, complain, installed, say, write_picture
from keras_lr.files import write_atomically
from keras_lr.finder import range_test
from keras_lr.keras_private.trial_fit import held_back
from keras_lr.schedules import epochs

_PICTURE = "range_test.png"
_ARGUMENTS = inspect.signature(range_test).parameters
_AT_LEAST_ONE = checks.Number(minimum=1, integer=True)
# For each argument of `range_test` that is an option: what it must be, and what it means.
_OPTIONS = {
    "start": (checks.POSITIVE, "first rate"),
    "end": (checks.POSITIVE, "last rate planned"),
    "num_steps": (checks.Number(minimum=2, integer=True), "updates in a sweep"),
    "batch_size": (_AT_LEAST_ONE, "samples in a batch"),
    "repeats": (_AT_LEAST_ONE, "sweeps, for an interval"),
    "verify": (checks.Number(minimum=0, integer=True), "short runs around the suggestion"),
    "total_steps": (_AT_LEAST_ONE, "length of the planned run in updates"),
    "budget": (_AT_LEAST_ONE, "updates for everything, in the place of the three above"),
    # Keras' own seeds have 32 bits.
    "seed": (
        checks.Number(minimum=0, maximum=2**32 - 1, integer=True),
        "of the order of the data; if given, also of new weights",
    ),
}


def _flag(argument):
    return "--steps" if argument == "num_steps" else "--" + argument.replace("_", "-")


def add(commands):
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "find",
        help="find a learning rate for your model and data, by a range test",
        description="FUNCTION takes no arguments and returns (model, x), (model, x, y) or a dict "
        "of the arguments of keras_lr.range_test; the model is compiled. Options replace the "
        "dict's entries. The exit status is 0 with a suggestion, 1 without one, and 2 if the test "
        "could not be run.",
        epilog="example: keras-lr find train.py:make --repeats 3 --json found.json",
    )
    parser.add_argument(
        "target",
        type=target.read,
        metavar="MODULE:FUNCTION",
        help="a module or a .py file, and the function in it that makes model and data",
    )
    for name, (check, meaning) in _OPTIONS.items():
        given = _ARGUMENTS[name].default
        default = meaning if given is None else f"{meaning} (default: {given:g})"
        read = {"type": kinds.number(check), "metavar": "INTEGER" if check.integer else "RATE"}
        parser.add_argument(_flag(name), dest=name, help=default, **read)
    parser.add_argument(
        "--epochs",
        type=kinds.number(checks.POSITIVE),
        metavar="NUMBER",
        help="length of the planned run in epochs",
    )
    parser.add_argument(
        "--validation",
        type=kinds.number(checks.Number(above=0, below=1)),
        metavar="SHARE",
        help="share of the rows, the last ones, that judges the runs of --verify or --budget",
    )
    parser.add_argument(
        "--output", type=kinds.picture_file, help=f"PNG, PDF or SVG file (default: {_PICTURE})"
    )
    parser.add_argument("--json", type=kinds.file, help="file for the whole result")
    parser.set_defaults(run=run)


def run(options):
    """Runs the test; returns 0 with a suggestion, 1 without one, 2 if it could not be run."""
    # Before the user's function, which may change the folder.
    here = pathlib.Path.cwd()
    try:
        _require_drawable(options)
        arguments = _arguments(options)
        found = range_test(**arguments)
        for line in lines_about(found, arguments):
            say(re.sub(r"(\w+)=…", lambda match: _flag(match[1]), line))
        for path in _written(found, options, here):
            say(f"Wrote {path}")
    except Exception as error:
        _report(error)
        return 2
    return 1 if found.suggestion is None else 0


def _require_drawable(options):
    if installed("matplotlib"):
        return
    if options.output:
        raise ValueError(
            f"--output needs matplotlib: {INSTALL_PLOT}. Received: {str(options.output)!r}"
        )
    complain("find", f"matplotlib is not installed ({INSTALL_PLOT}): there will be no picture")


def _arguments(options):
    """Returns the arguments of `range_test`: those that were typed replace the function's."""
    typed = {name: getattr(options, name) for name in _OPTIONS}
    typed = {name: value for name, value in typed.items() if value is not None}
    if options.epochs is not None:
        if options.total_steps is not None:
            raise ValueError("Give one of --epochs and --total-steps. Received: both")
        typed["total_steps"] = epochs(options.epochs)
    if "seed" in typed:
        keras.utils.set_random_seed(typed["seed"])
    made = _named(target.call(*options.target), ":".join(options.target))
    # A moving bar needs a terminal; elsewhere one line at the end is enough.
    verbose = 1 if sys.stdout.isatty() else 2
    return _with_validation({"verbose": verbose, **made, **typed}, options.validation)


def _with_validation(arguments, share):
    """Returns the arguments with the last part of their arrays as validation data."""
    if share is None:
        return arguments
    if arguments.get("validation_data") is not None:
        raise ValueError("--validation is for functions that return no validation_data themselves.")
    if not (arguments.get("verify") or arguments.get("budget")):
        raise ValueError("--validation judges runs: give --budget or --verify as well.")
    names = "x", "y", "sample_weight"
    training = {name: arguments.get(name) for name in (*names, "batch_size")}
    training, held = held_back(training, share)
    if held is None:
        raise ValueError("--validation is for arrays with rows enough. Received: other data")
    held = tuple(held[name] for name in names)
    return arguments | {name: training[name] for name in names} | {"validation_data": held}


def _named(made, name):
    """Returns what the function returned, as arguments by name."""
    if isinstance(made, tuple) and len(made) in (2, 3):
        made = dict(zip(("model", "x", "y"), made))
    elif not (isinstance(made, dict) and {"model", "x"} <= made.keys() <= _ARGUMENTS.keys()):
        raise ValueError(
            f"{name} must return (model, x), (model, x, y) or a dict of the arguments of "
            f"range_test, with model and x: {', '.join(_ARGUMENTS)}. Received: {_kind(made)}"
        )
    if not isinstance(made["model"], keras.Model):
        raise ValueError(f"The model of {name} must be a Keras model. Received: {made['model']!r}")
    if getattr(made["model"], "optimizer", None) is None:
        raise ValueError(
            f"The model of {name} must be compiled: model.compile(optimizer=…, loss=…). "
            f"Received: {made['model']!r}, without an optimizer"
        )
    return made


def _kind(made):
    """Returns a short description of what the function returned: data would fill the screen."""
    if isinstance(made, dict):
        return f"a dict of {', '.join(map(repr, made)) or 'nothing'}"
    if isinstance(made, tuple):
        return f"({', '.join(type(entry).__name__ for entry in made)})"
    return "None" if made is None else f"a value of type {type(made).__name__}"


def _written(found, options, here):
    """Writes the files; yields the path of each, as it was typed, when it is written."""
    if options.json:
        text = json.dumps(found.to_dict(), indent=1, allow_nan=False) + "\n"
        write_atomically(here / options.json, text)
        yield options.json
    if installed("matplotlib"):
        path = options.output or pathlib.Path(_PICTURE)
        write_picture(here / path, lambda ax: found.plot(ax))
        yield path


def _report(error):
    """Prints an error of keras_lr in one line, and any other with its traceback."""
    if isinstance(error, target.OwnError):
        error = error.__cause__
    elif _is_complaint(error):
        complain("find", error)
        return
    frames = _frames(error)
    # From the first line of the user's code on.
    while frames and _is_ours(frames[0]):
        frames.pop(0)
    traceback.print_exception(error.with_traceback(frames[0] if frames else None))


def _is_complaint(error):
    # Keras and TensorFlow remove their frames from a traceback, but their messages have many lines.
    is_ours = _is_ours(_frames(error)[-1]) and "\n" not in str(error)
    return is_ours and isinstance(error, (ValueError, RuntimeError, OSError))


def _frames(error):
    frames, frame = [], error.__traceback__
    while frame is not None:
        frames.append(frame)
        frame = frame.tb_next
    return frames


def _is_ours(frame):
    module = frame.tb_frame.f_globals.get("__name__", "")
    return module.partition(".")[0] in ("keras_lr", "importlib", "contextlib")
