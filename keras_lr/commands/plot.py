"""`keras-lr plot`: schedules as a picture."""

import argparse
import pathlib

from keras_lr import checks, plotting
from keras_lr.commands import options as kinds
from keras_lr.commands.output import INSTALL_PLOT, complain, installed, say, write_picture
from keras_lr.commands.schedule_text import parse_schedule
from keras_lr.plotting import curves
from keras_lr.plotting.schedules import shortened

_PICTURE = "schedules.png"


def add(commands):
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "plot",
        help="draw schedules over the updates of a run",
        epilog="example: keras-lr plot 'wsd(0.1, 1000)' 'linear(0.1, \"90%\").with_warmup(100)' "
        "--steps 1000 --epochs 10",
    )
    parser.add_argument(
        "schedules", nargs="+", metavar="SCHEDULE", help="a schedule as written in Python"
    )
    parser.add_argument(
        "--steps",
        type=kinds.number(checks.Number(minimum=1, maximum=2**53, integer=True)),
        help="updates of the run (default: those of the longest schedule)",
    )
    parser.add_argument("--epochs", type=kinds.number(checks.POSITIVE), help="epochs of the run")
    parser.add_argument("--log", action="store_true", help="draw the rates on a logarithmic axis")
    parser.add_argument(
        "--output", type=kinds.picture_file, help=f"PNG, PDF or SVG file (default: {_PICTURE})"
    )
    # Gone since version 0.2: it raises in this one.
    parser.add_argument("--terminal", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(options):
    """Draws and describes the schedules; returns 2 if that cannot be done."""
    try:
        for line in _drawn(options):
            say(line)
    except (ValueError, ArithmeticError, OSError) as error:
        complain("plot", error)
        return 2
    return 0


def _drawn(options):
    """Draws the schedules; returns what there is to say about them, line by line."""
    if options.terminal:
        raise ValueError("--terminal is gone: write a picture with --output schedules.png.")
    if not installed("matplotlib"):
        raise ValueError(f"Drawing needs matplotlib, which is not installed: {INSTALL_PLOT}.")
    schedules = [parse_schedule(text) for text in options.schedules]
    kinds.require_run(schedules, options)
    schedules, total_steps = curves.run_of(schedules, options.steps, options.epochs)
    labels = [shortened(" ".join(text.split())) for text in options.schedules]
    lines = [f"{name}: {s.describe(total_steps)}" for name, s in zip(labels, schedules)]

    def draw(ax):
        if len(labels) == 1:
            ax.set_title(labels[0], fontsize="medium")
        looks = {"epochs": options.epochs, "log": options.log, "labels": labels}
        plotting.plot_schedules(schedules, total_steps, ax=ax, **looks)

    path = options.output or pathlib.Path(_PICTURE)
    write_picture(path, draw)
    return [*lines, f"Wrote {path}"]
