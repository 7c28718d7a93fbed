"""Renders `docs/benchmarks.md` from the committed record: python docs/_data/render_benchmarks.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.cases import SCHEMES  # noqa: E402
from benchmarks.targets import TARGETS  # noqa: E402

RECORD = ROOT / "benchmarks" / "results" / "one-thread.json"
PAGE = ROOT / "docs" / "benchmarks.md"

HEAD = """\
# Benchmarks

Rendered from `benchmarks/results/one-thread.json`. Repeat with `python -m benchmarks` (minutes) or
`python -m benchmarks --smoke` (seconds); read ratios, not seconds.

"""

WHY = """
What stands behind the lines that are not reached:

* **The limit** counts reads at the rate of a plain float32 sum and nothing but one product. The first pass also
  turns every value into float64, since class means of float32 sums are where published numbers go wrong; the second
  gathers the centres, subtracts, takes norms and decides whose centre is nearest. With few classes and small batches,
  calls from Python are a good part of the rest.
* **One pass** is timed whole: gather, subtraction, mirroring and closing are in it, not the symmetric product alone,
  and at 1000 classes the scatter is brought into the span in float64.
* **Memory** of the formula is that of anchors, sums and means. The axes of the span, the means on them in both
  precisions, and the per-class squares that per-class values need are left out of it; with hundreds of classes or more
  they are as large as the means. None of this grows with the samples. Labels do, in a few copies, which is what is left
  over a mapped file.
* **30000 classes**: beside the scan of all pairs, a second one bounds the gaps between centres. The textbook is
  less far behind there, in several times the memory.
* **Streamed textbook, 10 classes**: at 512 dimensions a pseudo-inverse is cheap, so little is saved by avoiding it; Δ
  is the price of its float32 sums. The factor hoped for over a notebook was noted where LAPACK was slower.
"""

HOW = """
## How it is measured

* Features come from a seeded generator, lie in a file in float32 and are read in batches of 512; the time of reading
  the file alone is subtracted. Features *in hand* are in memory before the clock starts.
* Every figure is a process of its own on one thread, forked from one that has only loaded the libraries, after a run
  of the same code on a tiny input. Schemes take turns. CPU seconds are medians, ± is the interquartile range over the
  rounds; one or two rounds say nothing about spread.
* Memory is the peak of resident memory above the start of the work; what features in hand occupy themselves is not in
  it, what stored features occupy is.
* *× limit*: CPU seconds over those of two reads of the features and one float32 product with the span of the class
  means, at this machine's own rates. Nothing can reach 1.
* *× faster*: CPU seconds of stored features, with SciPy's and with torch's pseudo-inverse, over those of the line.
* *Δ*: the largest relative difference of the six numbers from float64 arithmetic (the share of decisions: absolute).
* The textbook schemes are our own, written for comparison: plain, but without handicaps. They are nobody's package.
"""


def number(value: float | None, digits: int = 3) -> str:
    """A few significant digits; a dash for what is not there."""
    if value is None:
        return "–"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.0e}"
    return f"{value:.{digits}g}" if abs(value) < 100 else f"{value:.0f}"


def render(record: dict[str, Any]) -> str:
    """The page."""
    parts = [HEAD, _environment(record), _targets(record), WHY, HOW, _schemes()]
    parts += [_sizes(record), _in_situ(record), _accuracy(record), _memory(record)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts if part)


def _environment(record: dict[str, Any]) -> str:
    facts, load, rates = record["environment"], record["load"], record["ceilings"]
    quiet = (
        "a quiet machine"
        if load["quiet"]
        else ("**not** a quiet machine: other work ran beside it, so only CPU seconds and ratios mean anything")
    )
    return (
        f"{facts['processor']}, {facts['cores']} cores, one thread used; {facts['system']}, Python {facts['python']}, "
        f"torch {facts['torch']} ({facts['blas_torch']}), NumPy {facts['numpy']} ({facts['blas_numpy']}), "
        f"SciPy {facts['scipy']}; {facts['date']}; load per core {number(load['before_per_core'])} before and "
        f"{number(load['after_per_core'])} after: {quiet}.\n\n"
        f"Ceilings in the same run: float32 product {number(rates['gemm_f32_numpy_gflops'])} (NumPy) and "
        f"{number(rates['gemm_f32_torch_gflops'])} GF/s (torch), float64 {number(rates['gemm_f64_numpy_gflops'])} and "
        f"{number(rates['gemm_f64_torch_gflops'])}; symmetric product, counted in full, "
        f"{number(rates['syrk_f32_gflops'])} and {number(rates['syrk_f64_gflops'])} (float64); read "
        f"{number(rates['read_gbytes'])} and copy {number(rates['copy_gbytes'])} GB/s."
    )


def _targets(record: dict[str, Any]) -> str:
    lines = ["## What was aimed at\n", "| | aimed at | measured | |", "|---|---|---|---|"]
    for target in TARGETS:
        value, reached = target.verdict(record)
        bar = f"{'≥' if target.at_least else '≤'} {number(target.bar)}{target.unit}"
        word = {True: "reached", False: "**not reached**", None: "not measured"}[reached]
        shown = "–" if value is None else f"{number(value)}{target.unit}"
        lines.append(f"| {target.what} | {bar} | {shown} | {word} |")
    return "\n".join(lines)


def _schemes() -> str:
    return "\n".join(["## What is compared\n", *(f"* **{name}**: {what}." for name, what in SCHEMES.items())])


def _sizes(record: dict[str, Any]) -> str:
    rows = record.get("rows", [])
    sizes = list(dict.fromkeys((row["samples"], row["dim"], row["classes"]) for row in rows))
    return "\n".join(["## Time and memory\n", *(_size(size, rows) for size in sizes)])


def _size(size: tuple[int, int, int], rows: list[dict[str, Any]]) -> str:
    head = (
        "| | rounds | CPU s | wall s | MiB | GB/s | GF/s | × limit | × faster (SciPy) | × faster (torch) | Δ |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|"
    )
    lines = [f"### {size[0]} samples × {size[1]} dimensions, {size[2]} classes\n", head]
    lines += [_line(row) for row in rows if (row["samples"], row["dim"], row["classes"]) == size]
    return "\n".join(lines) + "\n"


def _line(row: dict[str, Any]) -> str:
    if row["left_out"]:
        return f"| {row['scheme']} | – | not run: {row['left_out']} |" + " |" * 8
    faster = [number(row["speedup_over"].get(name)) for name in ("stored features", "stored features, torch")]
    worst = max(row["difference"].values()) if row["difference"] else None
    scheme = row["scheme"]
    if row["extrapolated_from"]:
        scheme += f" (extrapolated from {row['extrapolated_from']} samples)"
    cells = [
        scheme,
        str(row["rounds"]),
        f"{number(row['cpu_s'])} ± {number(row['cpu_iqr_s'], 2)}",
        number(row["wall_s"]),
        number(row["extra_mib"]),
        number(row["gbytes_per_s"]),
        number(row["gflops"]),
        number(row["times_limit"]),
        *faster,
        number(worst, 1),
    ]
    return "| " + " | ".join(cells) + " |"


def _in_situ(record: dict[str, Any]) -> str:
    if not record.get("in_situ"):
        return ""
    lines = [
        "## Beside a forward pass\n",
        "CPU time of hooks and statistics as a share of the plain forward pass, on small images; ± is the",
        "interquartile range. Hooks are a difference of two forwards and resolve no better than those repeat. The",
        "statistics are timed where they run, between batches. *observe* is everything: the probe of determinism, the",
        "second look, half-widths and every measure of every layer, over few samples.\n",
        "| network, pooling | widths | samples | forward s | hooks | first pass | second pass | one pass | observe |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in record["in_situ"]:
        widths = ", ".join(str(width) for width in one["dims"].values())
        hooks = f"{100 * (one['hooked_share'] - 1):+.1f} % ± {100 * one['hooked_share_iqr']:.1f}"
        cells = [_percent(one, name) for name in ("first_pass", "second_pass", "one_pass", "observe")]
        lines.append(
            f"| {one['network']}, {one['pool']} | {widths} | {one['samples']} | {number(one['forward_cpu_s'])} | "
            + " | ".join([hooks, *cells])
            + " |"
        )
    return "\n".join(lines)


def _percent(one: dict[str, Any], name: str) -> str:
    if one.get(f"{name}_share") is None:
        return "–"
    return f"{100 * one[f'{name}_share']:.1f} % ± {100 * one[f'{name}_share_iqr']:.1f}"


def _accuracy(record: dict[str, Any]) -> str:
    cells = record.get("accuracy")
    if not cells:
        return ""
    ways = list(cells[0]["errors"])
    lines = [
        "## Accuracy in the terminal phase\n",
        "Relative error of NC1 against class means and residuals in extended precision, of the same stored features:",
        "5000 samples, 256 dimensions, 10 classes on a simplex of unit norm, a common offset. The resolution is what",
        "rounding to the format alone would give: a value below it says nothing about collapse. *Raw moments* are",
        "float32 second moments, for comparison.\n",
        "| format | NC1 | offset | value | resolution | " + " | ".join(ways) + " |",
        "|---" * (5 + len(ways)) + "|",
    ]
    for cell in cells:
        errors = [number(cell["errors"][way], 1) for way in ways]
        lines.append(
            f"| {cell['dtype']} | {cell['variability']:.0e} | {cell['offset']:g} | {number(cell['reference'])} | "
            f"{number(cell['resolution'], 1)} | " + " | ".join(errors) + " |"
        )
    return "\n".join(lines)


def _memory(record: dict[str, Any]) -> str:
    found = record.get("memory")
    if not found:
        return ""
    lines = [
        "## Memory and the number of samples\n",
        "Peak above the start of two passes, in MiB. Pages of a mapped file belong to the system's cache, so there the",
        "private memory is sampled; labels lie in memory, a few copies of 8 bytes a sample.\n",
        "| samples × dimensions, classes | streamed | mapped file |",
        "|---|---|---|",
    ]
    lines += [
        f"| {one['samples']} × {one['dim']}, {one['classes']} | {number(one['streamed_mib'])} | "
        f"{number(one['mapped_mib'])} |"
        for one in found
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(render(json.loads(RECORD.read_text(encoding="utf-8"))), encoding="utf-8")
