"""The notebooks as readers get them: executed, small, without errors; and they run again."""

import re

import keras
import pytest

pytest.importorskip("nbclient")
import nbformat
from support.notebooks import NOTEBOOKS, clean, execute, read
from support.tiers import rest

LARGEST, LONGEST_CELL = 1_000_000, 15
MACHINE = re.compile(r"/(tmp|work|root|home|Users|usr)/|site-packages")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def outputs(path):
    return [output for cell in code_cells(path) for output in cell.outputs]


def test_there_are_notebooks():
    assert NOTEBOOKS


@every_notebook
def test_it_was_executed_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@every_notebook
def test_its_outputs_are_clean(path):
    kinds = {output.output_type for output in outputs(path)}
    assert "error" not in kinds
    streams = {output.name for output in outputs(path) if output.output_type == "stream"}
    assert streams <= {"stdout"}
    # Not in the pictures, whose base64 may spell anything.
    text = [
        str(output.get("text", output.get("data", {}).get("text/plain")))
        for output in outputs(path)
    ]
    sources = [cell.source for cell in read(path).cells]
    assert not [line for line in text + sources if MACHINE.search(line)]


@every_notebook
def test_it_is_small_and_readable(path):
    assert path.stat().st_size < LARGEST
    cells = read(path).cells
    assert cells[0].source.startswith("# ")
    sizes = [len(cell.source.splitlines()) for cell in code_cells(path)]
    assert max(sizes) <= LONGEST_CELL
    for number, cell in enumerate(code_cells(path), start=1):
        compile(cell.source, f"{path.stem}, code cell {number}", "exec")


@every_notebook
def test_its_file_holds_nothing_but_the_notebook(path):
    # Widths, timestamps and versions of whoever ran it last would drown every diff.
    notebook = read(path)
    assert not [cell.metadata for cell in notebook.cells if cell.metadata]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}


@every_notebook
def test_each_of_its_sections_shows_a_figure(path):
    """A section is a heading with a number: `## 3 · …`."""
    figures = []
    for cell in read(path).cells:
        if cell.cell_type == "markdown" and re.match(r"## \d", cell.source):
            figures.append(0)
        elif cell.cell_type == "code" and figures:
            figures[-1] += sum("image/png" in output.get("data", {}) for output in cell.outputs)
    assert figures
    assert 0 not in figures


def test_what_native_libraries_say_is_not_written_back_and_warnings_are():
    native = "WARNING: All log messages before absl::InitializeLog() …\nI0000 00:00 1 a.cc:31] no\n"
    texts = [native, native + "UserWarning: look\n"]
    cells = [
        nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("stream", name="stderr", text=t)])
        for t in texts
    ]
    cleaned = clean(nbformat.v4.new_notebook(cells=cells)).cells
    assert [[o.text for o in cell.outputs] for cell in cleaned] == [[], ["UserWarning: look\n"]]


@rest
@pytest.mark.notebook
@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="is for the default back end")
@every_notebook
def test_it_runs(path):
    # Raises with the cell and its traceback where a cell fails, an assertion of its prose too.
    execute(path)
