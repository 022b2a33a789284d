"""The command line: `python -m keras_lr demo`, also installed as `keras-lr`."""

import argparse
import importlib.util
import sys

# What each command needs beyond Keras, by the name of its import.
_NEEDS = {"demo": {"matplotlib": "matplotlib", "sklearn": "scikit-learn"}}


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-lr", description="Choose, drive and explain learning rates for Keras 3."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="choose, drive and explain the rate of a classifier of digits (under a minute)",
    )
    demo.add_argument(
        "--folder", default="demo", help="where picture and report go (default: %(default)s)"
    )
    return parser


def _refuse_without_extra(command):
    missing = [
        package
        for module, package in _NEEDS[command].items()
        if importlib.util.find_spec(module) is None
    ]
    if missing:
        sys.exit(
            f"keras-lr {command} needs {' and '.join(missing)}: pip install 'keras_lr[{command}]'"
        )


def main(arguments=None):
    """Runs one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    _refuse_without_extra(options.command)
    # Imported late: a question for help need not wait for a back end.
    from keras_lr import demo

    demo.run(options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
