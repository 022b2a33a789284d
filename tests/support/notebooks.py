"""Executes notebooks, writes their outputs back.

Run `PYTHONPATH=tests python -m support.notebooks [03 05]`.

They run on the back end of the environment. What readers get is that of the default back end.
"""

import base64
import io
import os
import pathlib
import re
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = pathlib.Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# Of one cell, on a machine that is busy with something else.
LONGEST_CELL = 600
# What native libraries say of the machine while they are loaded, before they know a log level.
NATIVE = re.compile(r"^(WARNING: All log messages before absl::|[IWE]\d{4} ).*\n?", re.MULTILINE)


def read(path):
    return nbformat.read(path, as_version=4)


def execute(path):
    """Returns the notebook with new outputs; a cell that fails, by its assertions too, raises."""
    notebook = read(path)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=LONGEST_CELL, resources=resources)
        # Pictures belong into the notebook, wherever else this machine draws them.
        inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        client.execute(env={**os.environ, **inline})
        left = sorted(item.name for item in pathlib.Path(folder).iterdir())
    if left:
        raise AssertionError(f"{path.name} left {left} in its folder.")
    return notebook


def clean(notebook):
    """Takes out what differs from machine to machine, and would drown every diff."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.nbformat_minor = 5
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number:02d}", {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(without_native, cell.outputs) if output]
        for output in cell.get("outputs", []):
            # The text beside a picture is its size.
            if "image/png" in output.get("data", {}):
                output.data = {"image/png": smaller(output.data["image/png"])}
                output.metadata = {}
    return notebook


def smaller(picture):
    """Returns a PNG, as text, in 256 colours: a third of its size, and no eye sees it."""
    written, read_from = io.BytesIO(), io.BytesIO(base64.b64decode(picture))
    Image.open(read_from).convert("RGB").quantize(256).save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


def without_native(output):
    """Returns the output without the lines of native libraries, or None if nothing is left."""
    if output.output_type != "stream" or output.name != "stderr":
        return output
    output.text = NATIVE.sub("", output.text)
    return output if output.text.strip() else None


def main(names):
    for path in NOTEBOOKS:
        if names and not path.name.startswith(tuple(names)):
            continue
        print(path.name, end=" ", flush=True)
        begin = time.perf_counter()
        notebook = clean(execute(path))
        nbformat.write(notebook, path)
        size = path.stat().st_size / 1000
        print(f"{time.perf_counter() - begin:.0f} s, {size:.0f} kB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
