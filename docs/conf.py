"""How the documentation is built."""

import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import download_reference
from sphinx.ext.napoleon import NumpyDocstring

import epsie

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
# The pages of the tutorials. No distribution may have links, so it is made here.
if not (HERE / "tutorials").exists():
    (HERE / "tutorials").symlink_to("../tutorials")

project = "epsie"
author = "the epsie developers"
copyright = "2026, the epsie developers"  # noqa: A001
release = version = epsie.__version__

extensions = [
    "mathml",
    "myst_nb",
    "rooms",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
html_math_renderer = "mathml"
# Prompts and what was printed are not copied.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
html_theme = "furo"
html_title = f"epsie {version}"
html_static_path = ["_static"]
html_css_files = ["epsie.css"]
# Beside the tutorials, whose names begin with a number, are the scripts that they use.
exclude_patterns = ["_build", "_generated/*.md", "*.py", "tutorials/[!0-9]*"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autosummary_generate = False
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
# Only executed cells tell their language; tables of a class's members have their full names.
suppress_warnings = ["myst-nb.lexer", "autosummary.import_cycle"]
toc_object_entries_show_parents = "hide"


def make_gallery(app: Any) -> None:
    """Make the pictures and tables of proposals from the registry, those of runs, and of costs."""
    import costs
    import gallery
    import pictures

    for name in ("epsie", "matplotlib"):  # how runs go is no news of a build
        logging.getLogger(name).setLevel(logging.WARNING)
    for maker in (gallery, pictures, costs):
        maker.make(Path(app.srcdir) / "_generated")


KEPT: list[str] = []


def keep_attribute(app: Any, what: str, *about: Any) -> None:
    """Keep what is said of an attribute from napoleon, for which a colon there ends a type."""
    if what in ("attribute", "data", "property"):
        KEPT[:] = NumpyDocstring(about[-1], app.config, app).lines()
        about[-1].clear()


def restore_attribute(app: Any, what: str, *about: Any) -> None:
    """Give it back."""
    if what in ("attribute", "data", "property"):
        about[-1][:] = KEPT


def offer_notebook(app: Any, page: nodes.document) -> None:
    """Let a tutorial begin with a link to itself as a notebook, as it was executed."""
    if app.env.docname.startswith("tutorials/"):
        file = Path(app.env.mystnb_config.output_folder) / f"{app.env.docname}.ipynb"
        link = download_reference(reftarget="/" + os.path.relpath(file, app.srcdir))
        link += nodes.inline("", "This page as a notebook")
        next(page.findall(nodes.section)).insert(1, nodes.paragraph("", "", link))


def mend_sources(app: Any, name: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Take out of the pages of source links to where names were not documented, or to no page."""
    if name.startswith("_modules/"):
        wrong = r'<a class="viewcode-back".*?</a>|<li><a href="(?!epsie)[^"]*">[^<]*</a></li>'
        context["body"] = re.sub(wrong, "", context["body"])


def setup(app: Any) -> None:
    """Connect what is made before pages are read, and before their downloads are collected."""
    app.connect("builder-inited", make_gallery)
    app.connect("autodoc-process-docstring", keep_attribute, priority=400)
    app.connect("autodoc-process-docstring", restore_attribute, priority=600)
    app.connect("doctree-read", offer_notebook, priority=400)
    app.connect("html-page-context", mend_sources)
