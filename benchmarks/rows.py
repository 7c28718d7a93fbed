"""From repeated answers of children to rows of the record: medians, spreads, ratios, agreement."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.cases import IN_HAND, SLOW, TEXTBOOK, Case, legacy_samples
from benchmarks.ceilings import limit_seconds

READS = {"two passes": 2, "two passes, half-widths": 2, "streamed textbook": 2, **dict.fromkeys(IN_HAND, 0)}
RATIO_OF = tuple(TEXTBOOK)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and interquartile range."""
    if len(values) < 2:
        return {"median": values[0], "iqr": 0.0}
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": statistics.median(values), "iqr": high - low}


def row(
    case: Case, scheme: str, answers: list[dict[str, Any]], null_s: float, exact: dict[str, float] | None
) -> dict[str, Any]:
    """One row: seconds without the null stream, memory, and agreement with the float64 reference."""
    reads = READS.get(scheme, 1)
    share = 1.0
    if scheme == "outer products":
        share = case.samples / legacy_samples(case)
        reads = 0
    cpu = spread([max(0.0, answer["cpu_s"] - reads * null_s) * share for answer in answers])
    wall = spread([answer["wall_s"] * share for answer in answers])
    memory = [answer["extra_mib"] for answer in answers if answer["extra_mib"] is not None]
    numbers = answers[0]["numbers"]
    return {
        **_case(case),
        "scheme": scheme,
        "rounds": len(answers),
        "cpu_s": cpu["median"],
        "cpu_iqr_s": cpu["iqr"],
        "wall_s": wall["median"],
        "extra_mib": statistics.median(memory) if memory else None,
        "extrapolated_from": round(case.samples / share) if share != 1 else None,
        "left_out": None,
        "numbers": numbers,
        "difference": difference(numbers, exact),
    }


def missing(case: Case, scheme: str, reason: str) -> dict[str, Any]:
    """The row of a scheme that is not run at this size."""
    empty = dict.fromkeys(("cpu_s", "cpu_iqr_s", "wall_s", "extra_mib", "extrapolated_from", "difference"))
    return {**_case(case), "scheme": scheme, "rounds": 0, **empty, "left_out": reason, "numbers": {}}


def with_ratios(rows: list[dict[str, Any]], rates: dict[str, float]) -> list[dict[str, Any]]:
    """The rows of one size with × limit, rates, and how many times faster than each textbook scheme."""
    seconds = {entry["scheme"]: entry["cpu_s"] for entry in rows}
    out = []
    for entry in rows:
        done = dict(entry)
        cpu = entry["cpu_s"]
        width = min(entry["classes"] - 1, entry["dim"])
        limit = limit_seconds(rates, entry["samples"], entry["dim"], width)
        done["times_limit"] = cpu / limit if cpu else None
        done["gbytes_per_s"] = 4 * entry["samples"] * entry["dim"] / 1e9 / cpu if cpu else None
        done["gflops"] = 2 * entry["samples"] * entry["dim"] * width / 1e9 / cpu if cpu else None
        done["speedup_over"] = {
            name: seconds[name] / cpu for name in RATIO_OF if cpu and seconds.get(name) and name != entry["scheme"]
        }
        out.append(done)
    return out


def difference(numbers: dict[str, float], exact: dict[str, float] | None) -> dict[str, float] | None:
    """|Δ| of each number: relative, but for the share of decisions, which is absolute."""
    if exact is None or not numbers:
        return None
    return {
        name: abs(value - exact[name]) / (1.0 if name == "nearest_centre_disagreement" else abs(exact[name]))
        for name, value in numbers.items()
    }


def rounds_of(case: Case, scheme: str) -> int:
    """How often a scheme is repeated at this size."""
    return case.slow_rounds if scheme in SLOW else case.rounds


def _case(case: Case) -> dict[str, int]:
    return {"samples": case.samples, "dim": case.dim, "classes": case.classes}
