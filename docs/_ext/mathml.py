"""Formulas as MathML, which browsers draw by themselves: pages need no script and no network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f"<p>{convert(node.astext(), display='block')}</p>\n")
    raise nodes.SkipNode


def _dollars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings write formulas between dollars, as Markdown does; reStructuredText has a role for them."""
    text = re.sub(r"\$\$([^$]+)\$\$", lambda found: f"\n.. math:: {' '.join(found[1].split())}\n", "\n".join(lines))
    text = re.sub(r"\$([^$]+)\$", lambda found: f":math:`{' '.join(found[1].split())}`", text)
    lines[:] = text.split("\n")


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer and the docstring filter."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.config.html_math_renderer = "mathml"
    app.connect("autodoc-process-docstring", _dollars)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
