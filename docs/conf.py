"""Sphinx configuration. The pages about measures, public codes and benchmarks are rendered from data."""

from __future__ import annotations

project = "Caltrop"
author = "The Caltrop authors"
copyright = "The Caltrop authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_data", "_templates"]
html_theme = "furo"
html_title = "Caltrop"
html_static_path = ["_static"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
