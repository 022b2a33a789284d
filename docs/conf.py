"""How Sphinx builds the pages: `sphinx-build -W -c docs . build/site`, from the root.

The root is the source folder, so that links between docs, notebooks and the rest work in the
repository and here. Nothing is fetched: no inventories, fonts or scripts of others.
"""

import inspect

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import keras_lr

project = author = copyright = "keras_lr"
release = version = keras_lr.__version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb"]
root_doc = "docs/index"
include_patterns = ["docs/*.md", "docs/api/*.rst", "notebooks/*.ipynb", "README.md"]
include_patterns += ["CHANGELOG.md", "CONTRIBUTING.md"]

html_theme = "furo"
html_title = f"keras_lr {release}"
html_extra_path = ["site"]
html_show_sourcelink = False
html_math_renderer = "mathml"

# Notebooks are shown as they are committed; the suite executes them.
nb_execution_mode = "off"
nb_merge_streams = True
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]

# Docstrings put code between single backticks.
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": True}


def setup(app):
    """Has formulas written without JavaScript, and classes shown with their real signature."""
    app.add_html_math_renderer("mathml", (_write_formula, None), (_write_formula, None))
    app.connect("autodoc-process-signature", _signature)


def _write_formula(writer, node):
    is_block = isinstance(node, nodes.math_block)
    writer.body.append(tex2mathml(node.astext(), as_block=is_block))
    raise nodes.SkipNode


def _signature(app, what, name, found, options, signature, returned):
    if what != "class":
        return None
    shown = inspect.signature(found)
    parameters = [p.replace(annotation=p.empty) for p in shown.parameters.values()]
    return str(shown.replace(parameters=parameters, return_annotation=shown.empty)), returned
