"""How the documentation is built."""

import os
import sys
from pathlib import Path
from typing import Any

import epsie

sys.path.insert(0, str(Path(__file__).parent))

project = "epsie"
author = "the epsie developers"
copyright = "2026, the epsie developers"  # noqa: A001
release = version = epsie.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
html_theme = "furo"
html_title = f"epsie {version}"
html_static_path = ["_static"]
html_css_files = ["epsie.css"]
# Beside the tutorials, whose names begin with a number, are the scripts that they use.
exclude_patterns = ["_build", "_generated/*.md", "*.py", "tutorials/[!0-9]*"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
default_role = "code"

# The tutorials are scripts in notebook cells. They are executed, and what they print and draw is
# shown. Only changed ones are executed again, after a change of epsie itself none: remove
# docs/_build for that. EPSIE_TUTORIALS=off builds the pages without them.
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = os.environ.get("EPSIE_TUTORIALS", "cache")
nb_execution_timeout = 600  # of a cell; far more than any needs on an idle machine
nb_execution_raise_on_error = True
nb_output_stderr = "remove"
nb_merge_streams = True
# Only executed cells tell their language.
suppress_warnings = ["myst-nb.lexer"]
toc_object_entries_show_parents = "hide"


def make_gallery(app: Any) -> None:
    """Make the pictures and tables of proposals from the registry."""
    import gallery

    gallery.make(Path(app.srcdir) / "_generated")


def setup(app: Any) -> None:
    """Connect what is made before the pages are read."""
    app.connect("builder-inited", make_gallery)
