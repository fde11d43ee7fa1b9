"""How the documentation is built."""

import epsie

project = "epsie"
author = "the epsie developers"
copyright = "2026, the epsie developers"  # noqa: A001
release = version = epsie.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
]
html_theme = "furo"
html_title = f"epsie {version}"
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
default_role = "code"
