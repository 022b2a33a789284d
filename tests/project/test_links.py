"""Links of pages and notebooks: their files and headings are there. Nothing is fetched."""

import json
import posixpath
import re

import pytest
from support.pages import PAGES, ROOT

NOTEBOOKS = sorted(f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb"))
OTHERS = ["CHANGELOG.md", "keras_lr/driving/README.md"]
LINK = re.compile(r"!?\[[^]]*\]\(([^)\s]+)\)")
BY_NAME, NAMED = re.compile(r"\[(\d{4}\.\d{5})\](?!\(|:)"), re.compile(r"^\[([^]]+)\]: ", re.M)


def prose(name):
    """The Markdown of a page or notebook, without its blocks of code."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith(".ipynb"):
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(name):
    """The anchors that a Git host, and Sphinx, give the headings of a page."""
    headings = re.findall(r"^#+ (.*)", prose(name), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [*PAGES, *OTHERS, *NOTEBOOKS])
def test_files_and_headings_that_are_linked_exist(name):
    for link in LINK.findall(prose(name)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        assert (ROOT / target).exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("name", PAGES)
def test_papers_that_are_cited_are_linked(name):
    text = prose(name)
    assert set(BY_NAME.findall(text)) <= set(NAMED.findall(text))


def test_the_check_sees_links():
    found = {name: len(LINK.findall(prose(name))) for name in PAGES}
    assert found["README.md"] >= 10 and found["docs/index.md"] >= 20
    assert "how-good-is-it" in anchors("docs/finding.md")
