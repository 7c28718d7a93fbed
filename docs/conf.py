"""Sphinx configuration. The pages about measures, public codes and benchmarks are rendered from data."""

from __future__ import annotations

import sys
from pathlib import Path

from caltrop.linalg import RANK_CUT
from caltrop.stats.accumulator import SCATTER_DIM
from caltrop.stats.second_look import BLOCKS, MOST_BLOCK_BYTES
from caltrop.stats.span import RESOLVED
from caltrop.stats.spool import MEMORY_BYTES
from caltrop.stats.ways import SPOOL_BYTES

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Caltrop"
author = "The Caltrop authors"
copyright = "The Caltrop authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml"]
myst_enable_extensions = ["dollarmath", "deflist", "substitution"]
# defaults live in code; pages show them
myst_substitutions = {
    "spool": SPOOL_BYTES // 2**30,
    "spool_memory": MEMORY_BYTES // 2**20,
    "scatter": SCATTER_DIM,
    "rank_cut": f"{RANK_CUT:g}",
    "resolved": f"{RESOLVED:g}",
    "blocks": BLOCKS,
    "block_bytes": MOST_BLOCK_BYTES // 2**20,
}
myst_heading_anchors = 3
exclude_patterns = ["_build", "_data", "_ext", "_templates"]
html_theme = "furo"
html_title = "Caltrop"
html_static_path = ["_static"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
