"""caltrop papers: what can be run, what it costs, and how it came out last."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from caltrop.papers import Experiment
    from caltrop.rows import Verdict


def papers(
    results: Annotated[Path, typer.Option("--results", metavar="DIR", help="Where records are looked for.")] = Path(
        "results"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print strict JSON.")] = False,
) -> None:
    """List the papers that can be run, what each scale costs, and the verdicts of records under DIR.

    \b
    Examples:
      caltrop papers
      caltrop papers --results runs/2026 --json
    """
    from caltrop.cli.records import read_all, tell_problems
    from caltrop.papers import experiments
    from caltrop.rows import to_json

    found = read_all(results) if results.exists() else None
    last: dict[tuple[str, str], list[Verdict]] = {}
    for one in found.judged if found else ():
        last[one.record.experiment, one.record.scale] = one.verdicts
    listed = [_entry(experiment, last) for experiment in experiments().values()]
    tell_problems(found.problems if found else {})
    if as_json:
        print(to_json({"papers": listed}))
        return
    for entry in listed:
        print("\n".join(_lines(entry)))
    print("Run one with: caltrop run PAPER --scale smoke; --json lists the fields that --set can change.")


def _entry(experiment: Experiment, last: dict[tuple[str, str], list[Verdict]]) -> dict[str, Any]:
    from caltrop.papers.experiment import plain

    scales = {
        scale: {
            "config": plain(experiment.configs[scale]),
            "cost": experiment.cost[scale],
            "seeds": list(experiment.seeds[scale]),
            "verdicts": [
                {"claim": verdict.claim, "outcome": verdict.outcome}
                for verdict in last.get((experiment.name, scale), ())
            ],
        }
        for scale in experiment.configs
    }
    return {
        "name": experiment.name,
        "title": experiment.title,
        "citation": experiment.citation,
        "claims": [{"claim": claim.id, "says": claim.says} for claim in experiment.claims],
        "scales": scales,
    }


def _lines(entry: dict[str, Any]) -> list[str]:
    lines = [entry["name"], f"  {entry['title']}", f"  {entry['citation']}", f"  {len(entry['claims'])} claims"]
    for scale, facts in entry["scales"].items():
        outcomes = [verdict["outcome"] for verdict in facts["verdicts"]]
        counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
        seeds = " ".join(map(str, facts["seeds"]))
        lines.append(f"  --scale {scale:<6} {facts['cost']}, seeds {seeds}; {counts or 'no record here'}")
    return lines
