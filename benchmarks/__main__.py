"""`python -m benchmarks [--smoke] [--out FILE] [--parts …]`."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.environment import QUIET
from benchmarks.processes import ask
from benchmarks.run import SMOKE_PLAN, Plan, run
from caltrop.rows import jsonable

PARTS = ("in situ", "accuracy", "memory", "classes", "speed")
RESULTS = Path(__file__).parent / "results" / "one-thread.json"


def main() -> None:
    """Measure and write one JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="seconds instead of minutes: proves that everything runs")
    parser.add_argument("--out", type=Path, help=f"where the JSON goes (default: {RESULTS.name}, nothing with --smoke)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="only these; FILE keeps the others")
    parser.add_argument("--dims", nargs="+", type=int, help="only sizes of these dimensions; FILE keeps the others")
    given = parser.parse_args()
    plan = SMOKE_PLAN if given.smoke else Plan()
    if given.dims:
        plan = replace(plan, cases=tuple(case for case in plan.cases if case.dim in given.dims))
    record = run(plan, ask, given.parts)
    out = given.out or (None if given.smoke else RESULTS)
    if out is not None:
        if out.exists() and (given.dims or "speed" not in given.parts):
            record = merged(json.loads(out.read_text(encoding="utf-8")), record)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(jsonable(record), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    load = record["load"]
    if not load["quiet"]:
        print(f"not a quiet run: load per core {load['before_per_core']} before, {load['after_per_core']} after; ")
        print(f"above {QUIET}, trust CPU seconds and ratios, not wall time")
    print(f"{len(record.get('rows', []))} rows in {record['seconds']:.0f} s" + (f", {out.name}" if out else ""))


def merged(known: dict[str, Any], again: dict[str, Any]) -> dict[str, Any]:
    """The known record with the parts measured again; rows of other sizes stay, and so do environment and ceilings."""
    shared = ("environment", "ceilings", "load", "seconds", "rows")
    parts = {name: part for name, part in again.items() if name not in shared or name not in known}
    rows = {(row["samples"], row["dim"], row["classes"], row["scheme"]): row for row in known.get("rows", [])}
    for row in again.get("rows", []):
        rows[row["samples"], row["dim"], row["classes"], row["scheme"]] = row
    return {**known, **parts, "rows": list(rows.values())}


if __name__ == "__main__":
    main()
