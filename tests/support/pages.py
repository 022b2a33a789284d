"""The pages that people read, their code blocks and their sections."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md"]
PAGES += sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))


def text_of(name):
    """Returns the text of a page, by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name, language="python"):
    """Returns the code blocks of a page."""
    return re.findall(rf"```{language}\n(.*?)```", text_of(name), flags=re.DOTALL)


def section(name, title):
    """Returns the lines under a heading of a page."""
    return text_of(name).split(f"\n## {title}\n")[1].split("\n## ")[0].splitlines()
