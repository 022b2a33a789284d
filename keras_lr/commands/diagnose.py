"""`keras-lr diagnose`: what was wrong with the rate of a run that a CSVLogger has recorded."""

import json

from keras_lr.commands import options as kinds
from keras_lr.commands.output import INSTALL_PLOT, complain, installed, say, write_picture
from keras_lr.explanation import diagnose

# The exit status says whether the rate was right.
_STATUS = {"good": 0, "undetermined": 3}
_WRONG = 1


def add(commands):
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "diagnose",
        help="say what was wrong with the learning rate of a run",
        description="FILE is what keras.callbacks.CSVLogger has written. Read are its columns "
        "loss, val_loss, learning_rate (or lr) and initial_loss. The exit status is 0 if the rate "
        "was good, 1 if it was too small, too large or the run diverged, 2 if the file cannot be "
        "read, and 3 if the curves do not say.",
        epilog="example: keras-lr diagnose training.csv --json",
    )
    parser.add_argument("file", metavar="FILE", help="a CSVLogger's file")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the report")
    parser.add_argument(
        "--initial",
        type=float,
        metavar="LOSS",
        help="the loss before training, of which the file may know nothing",
    )
    parser.add_argument("--output", type=kinds.picture_file, help="PNG, PDF or SVG file to draw")
    parser.set_defaults(run=run)


def run(options):
    """Prints the diagnosis; returns 0 for a good rate, 1 for a wrong one, 2 or 3 for neither."""
    try:
        if options.output is not None and not installed("matplotlib"):
            raise ValueError(f"--output needs matplotlib: {INSTALL_PLOT}")
        found = diagnose(options.file, initial=options.initial)
        if options.output is not None:
            write_picture(options.output, found.plot)
    except (ValueError, OSError) as error:
        complain("diagnose", error)
        return 2
    text = json.dumps(found.to_dict(), indent=2) if options.json else found.report()
    for line in text.splitlines():
        say(line)
    return _STATUS.get(found.verdict, _WRONG)
