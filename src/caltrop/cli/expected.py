"""A committed list of outcomes, and where records differ from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Claimed = tuple[str, str | None]


def read_expected(path: Path) -> dict[Claimed, str]:
    """Outcomes by (claim, scale) from what `caltrop check --json` printed, or from {claim: outcome}.

    A scale is None where the file names none: it then stands for every scale.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not JSON, holds neither form, or an outcome that does not exist.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--expect {path} is not there; caltrop check DIR --json prints one.")
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"--expect {path} is not JSON: {error}") from error
    return {claim: _outcome(path, claim, outcome) for claim, outcome in _pairs(path, held)}


def differences(expected: Mapping[Claimed, str], entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each outcome that is not the expected one, is missing, or was not expected at all."""
    told = []
    met = set()
    for entry in entries:
        claim, scale, outcome = entry["claim"], entry["scale"], entry["outcome"]
        key = (claim, scale) if (claim, scale) in expected else (claim, None)
        where = f"{claim} ({scale}, {entry['record']})"
        if key not in expected:
            told.append(f"{where}: {outcome}, and not in the list")
            continue
        met.add(key)
        if expected[key] != outcome:
            told.append(f"{where}: {outcome}, expected {expected[key]}; {entry['why']}")
    absent = [key for key in expected if key not in met]
    return told + [
        f"{claim}{f' ({scale})' if scale else ''}: no record, expected {expected[claim, scale]}"
        for claim, scale in absent
    ]


def _pairs(path: Path, held: Any) -> list[tuple[Claimed, Any]]:
    if isinstance(held, dict) and isinstance(held.get("verdicts"), list):
        entries = held["verdicts"]
        if all(isinstance(entry, dict) and "claim" in entry and "outcome" in entry for entry in entries):
            return [((str(entry["claim"]), entry.get("scale")), entry["outcome"]) for entry in entries]
    elif isinstance(held, dict) and all(isinstance(value, str) for value in held.values()):
        return [((claim, None), outcome) for claim, outcome in held.items()]
    raise ValueError(
        f'--expect {path} must hold {{"verdicts": [{{"claim", "outcome"}}, ...]}}, as caltrop check --json prints, '
        "or {claim: outcome}."
    )


def _outcome(path: Path, claim: Claimed, outcome: Any) -> str:
    outcomes = ("reproduced", "contradicted", "inconclusive")
    if outcome not in outcomes:
        raise ValueError(f"--expect {path}: {claim[0]} is {outcome!r}, which is none of {', '.join(outcomes)}.")
    return str(outcome)
