"""The command line: `python -m keras_lr demo` or `plot`, also installed as `keras-lr`."""

import argparse
import importlib.util
import io
import pathlib
import shutil
import sys

from keras_lr import checks
from keras_lr.files import write_atomically

# What each command needs beyond Keras, by the name of its import.
_NEEDS = {"demo": {"matplotlib": "matplotlib", "sklearn": "scikit-learn"}}
_FORMATS = (".png", ".pdf", ".svg")
_PICTURE = "schedules.png"
_INSTALL = "pip install 'keras_lr[plot]'"
# Inches; at 200 dots each a picture is twice as wide as a README shows it, for sharp screens.
_SIZE, _DPI = (9.0, 5.0), 200


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        """Says what is wrong in one line, and leaves the usage to `--help`."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser():
    parser = _Parser(
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
    demo.set_defaults(run=_demo)
    _add_plot(commands)
    return parser


def _add_plot(commands):
    plot = commands.add_parser(
        "plot",
        help="draw schedules over the updates of a run, as a picture or in the terminal",
        epilog="example: keras-lr plot 'wsd(0.1, 1000)' 'linear(0.1, \"90%\").with_warmup(100)' "
        "--steps 1000 --epochs 10",
    )
    plot.add_argument(
        "schedules", nargs="+", metavar="SCHEDULE", help="a schedule as written in Python"
    )
    plot.add_argument(
        "--steps",
        type=_number(checks.Number(minimum=1, maximum=2**53, integer=True)),
        help="updates of the run (default: as the longest schedule)",
    )
    plot.add_argument("--epochs", type=_number(checks.POSITIVE), help="epochs of the run")
    plot.add_argument("--log", action="store_true", help="draw the rates on a logarithmic axis")
    where = plot.add_mutually_exclusive_group()
    where.add_argument(
        "--output", type=_picture_file, help=f"PNG, PDF or SVG file (default: {_PICTURE})"
    )
    where.add_argument("--terminal", action="store_true", help="draw with characters instead")
    plot.set_defaults(run=_plot)


def _number(check):
    def read(text):
        try:
            return check("number", float(text))
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {check}. Received: {text!r}") from None

    return read


def _picture_file(text):
    path = pathlib.Path(text)
    if path.suffix.lower() not in _FORMATS:
        formats = ", ".join(_FORMATS)
        raise argparse.ArgumentTypeError(f"must end in one of {formats}. Received: {text!r}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"must be in a folder that exists. Received: {text!r}")
    return path


# The commands


def _demo(options):
    missing = [
        package
        for module, package in _NEEDS["demo"].items()
        if importlib.util.find_spec(module) is None
    ]
    if missing:
        sys.exit(f"keras-lr demo needs {' and '.join(missing)}: pip install 'keras_lr[demo]'")
    # Imported late, as in `_plot`: a question for help need not wait for a back end.
    from keras_lr import demo

    demo.run(options.folder)
    return 0


def _plot(options):
    try:
        for line in _drawn(options):
            _say(line)
    except (ValueError, ArithmeticError, OSError) as error:
        print("keras-lr plot:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


def _say(line):
    # What the terminal's encoding has not becomes a question mark.
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding))


def _drawn(options):
    """Draws the schedules; returns what there is to say about it, line by line."""
    from keras_lr.plotting import curves
    from keras_lr.plotting.schedules import shortened
    from keras_lr.schedules.expression import parse_schedule

    drawable = importlib.util.find_spec("matplotlib") is not None
    if options.output and not drawable:
        raise ValueError(
            f"--output needs matplotlib: {_INSTALL}, or draw with --terminal. "
            f"Received: {str(options.output)!r}"
        )
    schedules = [parse_schedule(text) for text in options.schedules]
    _require_run(schedules, options)
    schedules, total_steps = curves.run_of(schedules, options.steps, options.epochs)
    labels = [shortened(" ".join(text.split())) for text in options.schedules]
    lines = [f"{name}: {s.describe(total_steps)}" for name, s in zip(labels, schedules)]
    if options.terminal or not drawable:
        if not options.terminal:
            hint = f"matplotlib is not installed ({_INSTALL}): drawing in the terminal"
            print("keras-lr plot:", hint, file=sys.stderr)
        charts = _charts(schedules, total_steps, options.log)
        return [line for pair in zip(lines, charts) for line in pair]
    path = options.output or pathlib.Path(_PICTURE)
    _write_picture(path, schedules, total_steps, labels, options)
    return [*lines, f"Wrote {path}"]


def _require_run(schedules, options):
    """Raises unless the options say what the schedules leave open about the run."""
    from keras_lr.schedules import fields

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
    from keras_lr.plotting import curves, terminal

    steps = curves.updates(total_steps)
    looks = {
        "width": shutil.get_terminal_size().columns,
        "encoding": sys.stdout.encoding,
        "top": max(schedule.rates(steps).max() for schedule in schedules),
        "log": log,
    }
    return [terminal.chart(schedule, total_steps, **looks) + "\n" for schedule in schedules]


def _write_picture(path, schedules, total_steps, labels, options):
    from matplotlib.figure import Figure

    from keras_lr.plotting import plot_schedules

    # Without pyplot: no window system, no state.
    figure = Figure(figsize=_SIZE, layout="constrained")
    ax = figure.subplots()
    if len(labels) == 1:
        ax.set_title(labels[0], fontsize="medium")
    plot_schedules(
        schedules, total_steps, ax=ax, epochs=options.epochs, log=options.log, labels=labels
    )
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.lower().lstrip("."), dpi=_DPI)
    write_atomically(path, picture.getvalue())


def main(arguments=None):
    """Runs one command; returns the exit status: 0, or 2 if what was asked cannot be done."""
    options = _parser().parse_args(arguments)
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
