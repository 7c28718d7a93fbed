"""Phase diagrams for people at a terminal."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caltrop.solve.prevalence import Prevalence, PrevalenceCell
    from caltrop.theory.phase import PhaseDiagram

_HEADS = {"exists": "exists to", "ties": "ties at", "stable": "stable to"}


def phase_table(name: str, diagram: PhaseDiagram) -> str:
    """Per number of classes: thresholds of collapse, and the winners from the least penalty to the largest."""
    lines = [f"{name}: the least known family, by penalty λ"]
    heads = "".join(f"{_HEADS.get(threshold, threshold):>11}" for threshold in diagram.thresholds)
    for row, classes in enumerate(diagram.num_classes):
        lines += ["", f"{classes} classes", f"  depth{heads}  from λ = {diagram.decays[0]:.3g} up"]
        for column, depth in enumerate(diagram.depths):
            limits = "".join(f"{float(values[row, column]):>11.4g}" for values in diagram.thresholds.values())
            winners = [diagram.winner(classes, depth, decay) for decay in diagram.decays]
            lines.append(f"  {depth:>5}{limits}  {_ranges(winners, diagram.decays)}")
    return "\n".join([*lines, ""])


def prevalence_table(found: Prevalence) -> str:
    """Shares of starts that collapsed, with their intervals: a line for each width, a column for each penalty."""
    problem, starts = found.problem, found.cells[0][0].starts
    head = f"collapse from {starts} starts each, {problem.num_classes} classes, depth {problem.depth}, {found.method}"
    decays = "".join(f"{f'λ = {decay:.4g}':>22}" for decay in found.decays)
    lines = [head, f"  width{decays}"]
    for dim, cells in zip(found.dims, found.cells, strict=True):
        lines.append(f"  {dim:>5}" + "".join(f"{_share(cell):>22}" for cell in cells))
    return "\n".join([*lines, ""])


def _ranges(names: Sequence[str], decays: Sequence[float]) -> str:
    """`pairs to 0.01, polygon to 0.0562, zero`: with the last penalty at which each still wins."""
    said = []
    stop = 0
    for name, cells in itertools.groupby(names):
        stop += len(list(cells))
        said.append(name if stop == len(names) else f"{name} to {decays[stop - 1]:.3g}")
    return ", ".join(said)


def _share(cell: PrevalenceCell) -> str:
    low, high = cell.interval
    return f"{cell.share:.2f} [{low:.2f}, {high:.2f}]"
