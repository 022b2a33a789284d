"""What the commands say and write."""

import importlib.util
import io
import sys

from keras_lr.files import write_atomically

INSTALL_PLOT = "pip install 'keras_lr[plot]'"
# Inches; at 200 dots each a picture is twice as wide as a README shows it, for sharp screens.
_SIZE, _DPI = (9.0, 5.0), 200


def say(line):
    """Prints a line; what the terminal's encoding has not becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding))


def complain(command, message):
    """Prints one line to where errors go, behind the name of the command."""
    print(f"keras-lr {command}:", " ".join(str(message).split()), file=sys.stderr)


def installed(module):
    """Tells whether a module can be imported, without doing so."""
    return importlib.util.find_spec(module) is not None


def write_picture(path, draw):
    """Writes what `draw` draws on the axes it is given, in the format of the path's ending."""
    from matplotlib.figure import Figure

    # Without pyplot: no window system, no state.
    figure = Figure(figsize=_SIZE, layout="constrained")
    draw(figure.subplots())
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.lower().lstrip("."), dpi=_DPI)
    write_atomically(path, picture.getvalue())
