"""Pages rendered from data are what the data says today."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"


def _renderer(name: str):
    spec = importlib.util.spec_from_file_location(name, DOCS / "_data" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_measures_is_rendered_from_the_registry_as_it_is():
    assert (DOCS / "measures.md").read_text(encoding="utf-8") == _renderer("render_measures").render(), (
        "run: python docs/_data/render_measures.py"
    )


def test_the_page_of_papers_is_rendered_from_claims_and_records_as_they_are():
    assert (DOCS / "papers.md").read_text(encoding="utf-8") == _renderer("render_papers").page(), (
        "run: python docs/_data/render_papers.py"
    )


def test_the_table_of_verdicts_in_the_readme_is_rendered_from_records():
    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert _renderer("render_papers").readme(text) == text, "run: python docs/_data/render_papers.py"
