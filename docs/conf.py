"""How the documentation is built."""

import os

import epsie

project = "epsie"
author = "the epsie developers"
copyright = "2026, the epsie developers"  # noqa: A001
release = version = epsie.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
]
html_theme = "furo"
html_title = f"epsie {version}"
# Beside the tutorials, whose names begin with a number, are the scripts that they use.
exclude_patterns = ["_build", "conf.py", "tutorials/[!0-9]*"]
myst_enable_extensions = ["dollarmath"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
default_role = "code"

# The tutorials are scripts in notebook cells. They are executed, and what they print and draw is
# shown. Only changed ones are executed again, after a change of epsie itself none: remove
# docs/_build for that. EPSIE_TUTORIALS=off builds the pages without them.
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = os.environ.get("EPSIE_TUTORIALS", "cache")
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_output_stderr = "remove"
nb_merge_streams = True
