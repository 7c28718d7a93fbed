"""Renders `docs/map.md` from the table in `conventions.py`: python docs/_data/render_map.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conventions import CODES, CONDITIONS, LINES, OUTSIDE, RELATIONS, Code, Line, R

HEAD = """\
# The map: their numbers and ours

The same letter means different numbers in different code. This page says, for each public code base that we
read, which of our measures equals its number, and what to do with ours to get it.

These readings are second-hand. They say how *we* read the code at the state named, in our words and in our
symbols; the code has moved since, or we misread it: then the line is wrong, and we would like to know. Every
line is a test: the formula in the second column, written out in NumPy, against our measure on a small
fixture; where a line holds only under a condition, or nothing of ours is equal, the test also sees the
difference.

Symbols: K classes, N samples, μ_k class means, M_k = μ_k − μ_C about the average of class means,
û_k = M_k/‖M_k‖, μ_G the sample mean, W and b the head, Σ_W = (1/N) Σ_i, Σ_B = (1/K) Σ_k M_k M_kᵀ, Σ_T about μ_G,
v_k the mean squared distance to μ_k; “simplex” is (I − 11ᵀ/K)/√(K−1).

Two habits account for most differences. Code that centres on the *sample* mean agrees with ours for balanced
classes only. And code that inverts a float32 Σ_B with a fixed cutoff agrees for well-conditioned class means
only: see `within_class_variability_resolved`, and the two ranks beside it.
"""

MIGRATION = f"""
## Coming from {R}

Its ten names, and what to write instead with `seen = ct.measure(features, labels, weights=W, bias=b)`:

| its name | ours |
|---|---|
"""


COLUMNS = "| its number | as we read it | ours | holds, and remarks |\n|---|---|---|---|"


def cell(text: str) -> str:
    """Text that cannot end a table cell."""
    return text.replace("|", "\\|")


def rule(line: Line) -> str:
    """What to do with our value to get theirs."""
    said, _ = RELATIONS[line.relation]
    if line.relation == "none":
        return f"{said}; nearest: `{line.ours}`"
    return f"`{line.ours}`" if line.relation == "same" else f"{said}: `{line.ours}`"


def instead(line: Line) -> str:
    """The expression that gives the number of the migration table."""
    value = f'seen["features", "{line.ours}"]'
    if line.relation == "none":
        return f"nothing equal; nearest `{value}`: {line.note}"
    value = f"1 - {value}" if line.relation == "complement" else value
    return f"`{value}`" + (f" ({CONDITIONS[line.holds]})" if line.holds != "always" else "")


def section(code: Code) -> str:
    """One code base."""
    rows = [
        f"| {cell(line.number)} | {cell(line.formula)} | {rule(line)} | "
        f"{cell('; '.join(part for part in (CONDITIONS[line.holds], line.note) if part))} |"
        for line in LINES
        if line.code == code.name
    ]
    table = "\n".join(["| its number | as we read it | ours | holds, and remarks |", "|---|---|---|---|", *rows])
    return f"\n### {code.name}\n\nRead at {code.read}. {code.about}\n\n{table}\n"


def render() -> str:
    """The whole page."""
    ten = "".join(f"| `{line.number}` | {cell(instead(line))} |\n" for line in LINES if line.code == R)
    rest = "".join(f"| {code} | {cell(number)} | {cell(why)} |\n" for code, number, why in OUTSIDE)
    return (
        HEAD
        + MIGRATION
        + ten
        + "\n## Code base by code base\n"
        + "".join(section(code) for code in CODES)
        + "\n## Not on the map\n\n| code | number | why |\n|---|---|---|\n"
        + rest
    )


if __name__ == "__main__":
    (Path(__file__).parents[1] / "map.md").write_text(render(), encoding="utf-8")
