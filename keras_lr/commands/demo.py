"""`keras-lr demo`: the main job on real data."""

import sys

from keras_lr import demo
from keras_lr.commands.output import installed

# What it needs besides Keras: packages by the names of their modules.
_NEEDS = {"matplotlib": "matplotlib", "sklearn": "scikit-learn"}


def add(commands):
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "demo",
        help="choose, drive and explain the rate of a classifier of digits (a minute or two)",
    )
    parser.add_argument(
        "--folder", default="demo", help="folder for picture and report (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(options):
    """Runs the demo if everything it needs is installed."""
    missing = [package for module, package in _NEEDS.items() if not installed(module)]
    if missing:
        sys.exit(f"keras-lr demo needs {' and '.join(missing)}: pip install 'keras_lr[demo]'")
    demo.run(options.folder)
    return 0
