"""What the parsers of the commands share."""

import argparse
import pathlib

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
