"""The command line: `python -m keras_lr COMMAND`, also installed as `keras-lr`."""

import sys

from keras_lr.commands import demo, diagnose, find, plot, rank
from keras_lr.commands.options import Parser


def main(arguments=None):
    """Runs one command; returns the exit status, 2 if it cannot be done."""
    parser = Parser(
        prog="keras-lr", description="Choose, drive and explain learning rates for Keras 3."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (demo, plot, rank, find, diagnose):
        command.add(commands)
    options = parser.parse_args(arguments)
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
