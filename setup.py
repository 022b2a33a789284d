"""Gives the package its long description; everything else is in setup.cfg.

The README's links lead into the repository, where PyPI cannot follow them: there they are words.
"""

import pathlib
import re

from setuptools import setup

README = pathlib.Path(__file__).with_name("README.md").read_text(encoding="utf-8")
PICTURE = re.compile(r"!\[[^]]*\]\((?!https://)[^)]*\)\n+")
TO_HEADING = re.compile(r"\[([^]]*)\]\(#[^)]*\)")
TO_FILE = re.compile(r"\[([^]]*)\]\((?!https://)([^)#]*)[^)]*\)")
PATHS = "\nPaths are those in the source distribution.\n"

text = TO_HEADING.sub(r"\1", PICTURE.sub("", README))
setup(long_description=TO_FILE.sub(r"\1 (`\2`)", text) + PATHS)
