"""Renders `docs/measures.md` from the registry: python docs/_data/render_measures.py."""

from __future__ import annotations

from pathlib import Path

from caltrop import measures
from caltrop.measures import Measure

PAGE = Path(__file__).parent.parent / "measures.md"

HEAD = """\
# The measures

Rendered from the registry: what a measure is called, what it says, and what it is at exact collapse.

N samples, K classes that have samples, d dimensions; $\\mu_k$ class means, $\\mu_C$ their average, $\\mu_G$ the
average of the samples, $M$ the rows $\\mu_k-\\mu_C$; $\\Sigma_W=\\frac1N\\sum_i(h_i-\\mu_{y_i})(h_i-\\mu_{y_i})^\\top$,
$\\Sigma_B=\\frac1K\\sum_k(\\mu_k-\\mu_C)(\\mu_k-\\mu_C)^\\top$; $W$ and $b$ the head.

Everywhere: covariances divide by N, never N−1. Classes without a sample are left out and named. What is undefined is
NaN, with the reason in its row, never 0; with two classes the centred means are opposite whatever the data, so measures
of their angles and norms say nothing and say so. Invariances are of the features together with a head whose scores stay
the same; for measures of the head alone, of its rows, where translation adds the same row to all.

Variabilities carry two more numbers: a 95 % sampling half-width, and the `resolution`, which is what rounding to the
features' storage format would give by itself ([how](how.md)).

| measure | symbol | needs | at exact collapse (K = 10, d = 512) | unchanged by | per class |
|---|---|---|---|---|---|
"""

WORDS = {
    "TotalSpectrum": "features, labels, the d × d scatter",
    "Head": "the head",
    "HeadDecisions": "features, labels, the head",
}


def needs(measure: Measure) -> str:
    """What a measure needs, in the words of somebody who calls it."""
    words = ", ".join(WORDS.get(kind.__name__, "features, labels") for kind in measure.needs)
    return ", ".join(dict.fromkeys(words.split(", ")))


def line(measure: Measure) -> str:
    """The measure's line of the table."""
    at_collapse = measure.collapsed(10, 512)
    value = "–" if at_collapse is None else f"{at_collapse:.4g}"
    invariances = ", ".join(measure.invariances) or "–"
    per_class = "yes" if measure.per_class else "–"
    name = f"[`{measure.name}`](#{measure.name})"
    return f"| {name} | {measure.symbol} | {needs(measure)} | {value} | {invariances} | {per_class} |"


def section(measure: Measure) -> str:
    """The measure's own section; the docstring's mathematics stays as it is."""
    return f"({measure.name})=\n## {measure.name}\n\n{measure.doc}\n\nSource: {measure.source}.\n"


def render() -> str:
    """The page."""
    known = [
        measures.get(name) for name in measures.names() if measures.get(name).function.__module__.startswith("caltrop.")
    ]
    return HEAD + "\n".join(map(line, known)) + "\n\n" + "\n".join(map(section, known))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
