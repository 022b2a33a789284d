"""`keras-lr plot`: schedules as a picture, or in characters."""

import pathlib
import shutil
import sys

from keras_lr import checks, plotting
from keras_lr.commands import options as kinds
from keras_lr.commands.output import INSTALL_PLOT, complain, installed, say, write_picture
from keras_lr.commands.schedule_text import parse_schedule
from keras_lr.plotting import curves, terminal
from keras_lr.plotting.schedules import shortened
from keras_lr.schedules import fields

_PICTURE = "schedules.png"


def add(commands):
    """Adds the command to those of the parser."""
    parser = commands.add_parser(
        "plot",
        help="draw schedules over the updates of a run, as a picture or in the terminal",
        epilog="example: keras-lr plot 'wsd(0.1, 1000)' 'linear(0.1, \"90%\").with_warmup(100)' "
        "--steps 1000 --epochs 10",
    )
    parser.add_argument(
        "schedules", nargs="+", metavar="SCHEDULE", help="a schedule as written in Python"
    )
    parser.add_argument(
        "--steps",
        type=kinds.number(checks.Number(minimum=1, maximum=2**53, integer=True)),
        help="updates of the run (default: as the longest schedule)",
    )
    parser.add_argument("--epochs", type=kinds.number(checks.POSITIVE), help="epochs of the run")
    parser.add_argument("--log", action="store_true", help="draw the rates on a logarithmic axis")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--output", type=kinds.picture_file, help=f"PNG, PDF or SVG file (default: {_PICTURE})"
    )
    where.add_argument("--terminal", action="store_true", help="draw with characters instead")
    parser.set_defaults(run=run)


def run(options):
    """Draws, and describes what was drawn; returns 2 if what was asked cannot be done."""
    try:
        for line in _drawn(options):
            say(line)
    except (ValueError, ArithmeticError, OSError) as error:
        complain("plot", error)
        return 2
    return 0


def _drawn(options):
    """Draws the schedules; returns what there is to say about it, line by line."""
    drawable = installed("matplotlib")
    if options.output and not drawable:
        raise ValueError(
            f"--output needs matplotlib: {INSTALL_PLOT}, or draw with --terminal. "
            f"Received: {str(options.output)!r}"
        )
    schedules = [parse_schedule(text) for text in options.schedules]
    _require_run(schedules, options)
    schedules, total_steps = curves.run_of(schedules, options.steps, options.epochs)
    labels = [shortened(" ".join(text.split())) for text in options.schedules]
    lines = [f"{name}: {s.describe(total_steps)}" for name, s in zip(labels, schedules)]
    if options.terminal or not drawable:
        if not options.terminal:
            complain(
                "plot", f"matplotlib is not installed ({INSTALL_PLOT}): drawing in the terminal"
            )
        charts = _charts(schedules, total_steps, options.log)
        return [line for pair in zip(lines, charts) for line in pair]

    def draw(ax):
        if len(labels) == 1:
            ax.set_title(labels[0], fontsize="medium")
        looks = {"epochs": options.epochs, "log": options.log, "labels": labels}
        plotting.plot_schedules(schedules, total_steps, ax=ax, **looks)

    path = options.output or pathlib.Path(_PICTURE)
    write_picture(path, draw)
    return [*lines, f"Wrote {path}"]


def _require_run(schedules, options):
    """Raises unless the options say what the schedules leave open about the run."""
    durations = [duration for s in schedules for duration in fields.durations_in(s)]
    missing = []
    if options.steps is None and (durations or not any(s.length for s in schedules)):
        missing.append("--steps")
    if options.epochs is None and any(duration.unit == "epochs" for duration in durations):
        missing.append("--epochs")
    if missing:
        unknown = ", ".join(map(str, durations)) or "only schedules without an end"
        raise ValueError(
            f"{' and '.join(missing)} must be given, for the length of the run. Received: {unknown}"
        )


def _charts(schedules, total_steps, log):
    """Returns a chart for each schedule, all with the same axes."""
    steps = curves.updates(total_steps)
    looks = {
        "width": shutil.get_terminal_size().columns,
        "encoding": sys.stdout.encoding,
        "top": max(schedule.rates(steps).max() for schedule in schedules),
        "log": log,
    }
    return [terminal.chart(schedule, total_steps, **looks) + "\n" for schedule in schedules]
