"""Mathematics as MathML, which browsers draw themselves: no script, nothing from a network."""

from typing import Any, NoReturn

from docutils import nodes
from latex2mathml.converter import convert


def inline(visitor: Any, node: nodes.math) -> NoReturn:
    """Write a formula in a line."""
    visitor.body.append(convert(node.astext()))
    raise nodes.SkipNode


def display(visitor: Any, node: nodes.math_block) -> NoReturn:
    """Write a formula in lines of its own."""
    visitor.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Let Sphinx know."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
