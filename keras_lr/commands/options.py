"""What the parsers of the commands share."""

import argparse
import pathlib

from keras_lr.schedules import fields

_PICTURES = (".png", ".pdf", ".svg")


class Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line."""

    def error(self, message):
        """Prints what is wrong, without the usage, and exits with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def number(check):
    """Returns the type of an option that has to pass `check`, a `checks.Number`.

    >>> from keras_lr import checks
    >>> number(checks.Number(minimum=1, integer=True))("1e3")
    1000
    """

    def read(text):
        try:
            return check("number", float(text))
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {check}. Received: {text!r}") from None

    return read


def file(text):
    """Returns the path of a file to write, in a folder that exists."""
    path = pathlib.Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"must be in a folder that exists. Received: {text!r}")
    return path


def picture_file(text):
    """Returns the path of a picture to write.

    >>> picture_file("rates.svg").name
    'rates.svg'
    """
    if pathlib.Path(text).suffix.lower() not in _PICTURES:
        formats = ", ".join(_PICTURES)
        raise argparse.ArgumentTypeError(f"must end in one of {formats}. Received: {text!r}")
    return file(text)


def require_run(schedules, options):
    """Raises unless the options give what the schedules leave open about the run."""
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
