"""What the commands print and write."""

import importlib.util
import io
import sys

from keras_lr.files import write_atomically

INSTALL_PLOT = "pip install 'keras_lr[plot]'"
# In inches. At 200 dots per inch a picture is twice as wide as a README shows it: sharp.
_SIZE, _DPI = (9.0, 5.0), 200


def say(line):
    """Prints a line; characters that the terminal cannot encode become question marks."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding))


def complain(command, message):
    """Prints one line to stderr, after the name of the command."""
    print(f"keras-lr {command}:", " ".join(str(message).split()), file=sys.stderr)


def installed(module):
    """Tells whether a module is installed, without importing it."""
    return importlib.util.find_spec(module) is not None


def write_picture(path, draw):
    """Calls `draw` with new axes and writes them, in the format of the path's ending."""
    from matplotlib.figure import Figure

    # Without pyplot, which has state and may open windows.
    figure = Figure(figsize=_SIZE, layout="constrained")
    draw(figure.subplots())
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.lower().lstrip("."), dpi=_DPI)
    write_atomically(path, picture.getvalue())
