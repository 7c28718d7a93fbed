"""How often descent ends in deep neural collapse (DNC), over widths and penalties."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from rich.progress import TimeElapsedColumn
from scipy.stats import binomtest

from caltrop.record.status import Status
from caltrop.rows import MapLine, PhaseMap
from caltrop.solve.solution import Solution
from caltrop.solve.solve import solve_grid
from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse
from caltrop.theory.phase_maps import LINE_SAYS, PENALTY

Deep = DeepUfmCrossEntropy | DeepUfmMse

LEVEL = 0.95
WIDTH = "width d"
SHARE, LOW, HIGH = "share that collapsed", "95 % from", "95 % to"


@dataclass(frozen=True)
class PrevalenceCell:
    """Where the starts of one problem ended.

    `structures` counts names, the commonest first, "diverged" among them; `outcomes` counts the solver's words.
    `collapsed` of `starts` are DNC.
    """

    dim: int
    decay: float
    starts: int
    collapsed: int
    structures: Mapping[str, int]
    outcomes: Mapping[str, int]

    @property
    def share(self) -> float:
        """The part of all starts that ended in DNC."""
        return self.collapsed / self.starts

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The exact (Clopper–Pearson) 95 % interval of the probability."""
        found = binomtest(self.collapsed, self.starts).proportion_ci(LEVEL, method="exact")
        return float(found.low), float(found.high)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "dim": self.dim,
            "decay": self.decay,
            "starts": self.starts,
            "collapsed": self.collapsed,
            "share": self.share,
            "interval": list(self.interval),
            "structures": dict(self.structures),
            "outcomes": dict(self.outcomes),
        }


@dataclass(frozen=True, eq=False)
class Prevalence:
    """A cell for each width and penalty, [widths][penalties].

    `problem` is one of them; the others differ in their width, and in the penalty that all their factors share.
    `method` is the solver's, `seconds` how long it took.
    """

    problem: Deep
    dims: tuple[int, ...]
    decays: tuple[float, ...]
    cells: tuple[tuple[PrevalenceCell, ...], ...]
    method: str
    seconds: float

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row of plain values for each cell."""
        return (cell.as_dict() for cell in itertools.chain.from_iterable(self.cells))

    def phase_map(self, *, lines: Mapping[str, float] | None = None, group: str = "", says: str = "") -> PhaseMap:
        """The shares as a map for a page; `lines` are thresholds of the penalty, by name.

        Raises ValueError for widths or penalties that do not increase.
        """
        names = Counter[str]()
        for cell in itertools.chain.from_iterable(self.cells):
            names.update(cell.structures)
        numbers = {
            SHARE: [[cell.share for cell in line] for line in self.cells],
            LOW: [[cell.interval[0] for cell in line] for line in self.cells],
            HIGH: [[cell.interval[1] for cell in line] for line in self.cells],
        }
        for name, _ in names.most_common():
            numbers[f"starts: {name}"] = [[float(cell.structures.get(name, 0)) for cell in line] for line in self.cells]
        return PhaseMap(
            title=f"{self.problem.num_classes} classes, depth {self.problem.depth}, solved",
            group=group,
            says=says,
            across=PENALTY,
            up=WIDTH,
            columns=self.decays,
            rows=tuple(map(float, self.dims)),
            numbers={name: tuple(map(tuple, grid)) for name, grid in numbers.items()},
            shown=SHARE,
            between=(LOW, HIGH),
            lines=tuple(
                MapLine(name, (float(place),) * len(self.dims), LINE_SAYS.get(name, ""))
                for name, place in (lines or {}).items()
            ),
        )


def prevalence(
    problem: Deep,
    *,
    dims: Sequence[int],
    decays: Sequence[int | float],
    seeds: int | Sequence[int] = 12,
    method: str | None = None,
    max_steps: int | None = None,
    scale: float = 1.0,
    step_size: float | None = None,
    polish: bool = True,
    progress: bool = False,
) -> Prevalence:
    """Solve a problem from many starts at every width and penalty, and count how often DNC is what was found.

    Parameters
    ----------
    problem
        Says all but width and penalties.
    dims, decays
        Widths, and penalties that all factors share. All penalties of a width are solved in one batch.
    seeds, method, max_steps, scale, step_size, polish
        As in `solve`. How often DNC is found depends on them, not on the problem alone.
    progress
        Whether to show a bar on stderr.

    Every start counts, those that diverged, vanished or did not finish too; what they are is in `structures`.

    Raises
    ------
    ValueError
        For a width in which DNC has no room, a seed that is there twice, and whatever `solve` and the problem refuse.
    """
    started = time.perf_counter()
    if isinstance(seeds, Sequence) and len(set(seeds)) < len(seeds):
        raise ValueError("seeds has one of them twice, and equal starts end alike; give every seed once.")
    grid = [
        [replace(problem, dim=dim, weight_decay=float(decay), feature_decay=float(decay)) for decay in decays]
        for dim in dims
    ]
    if not (len(dims) and len(decays)):
        raise ValueError("dims and decays need a value at least: each pair of them is a cell.")
    for line in grid:
        # its message says how wide DNC has to be
        line[0].family(collapsed_family(problem))
    cells = []
    method_used = ""
    with Status("widths", len(dims), TimeElapsedColumn(), shown=progress) as status:
        for done, (dim, line) in enumerate(zip(dims, grid, strict=True)):
            status.update(done, f"width {dim}, {len(line)} penalties in one batch")
            solutions = solve_grid(
                line,
                seeds=seeds,
                method=method,
                max_steps=max_steps,
                scale=scale,
                step_size=step_size,
                polish=polish,
            )
            cells.append(tuple(map(_cell, line, solutions)))
            method_used = solutions[0].method
            shares = ", ".join(f"{cell.collapsed} at λ = {cell.decay:g}" for cell in cells[-1])
            status.say(f"width {dim}: DNC from {shares} of {cells[-1][0].starts} starts each")
    return Prevalence(
        problem=problem,
        dims=tuple(dims),
        decays=tuple(map(float, decays)),
        cells=tuple(cells),
        method=method_used,
        seconds=time.perf_counter() - started,
    )


def collapsed_family(problem: Deep) -> str:
    """What DNC is called among the families of a problem."""
    return "dnc" if isinstance(problem, DeepUfmMse) else "simplex"


def _cell(problem: Deep, solution: Solution) -> PrevalenceCell:
    found = solution.structures
    counts = Counter("diverged" if structure is None else structure.name for structure in found)
    return PrevalenceCell(
        dim=problem.dim,
        decay=problem.feature_decay,
        starts=len(found),
        collapsed=sum(structure is not None and structure.is_dnc for structure in found),
        structures=dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        outcomes=dict(Counter(solution.outcomes).most_common()),
    )
