"""A committed list of outcomes, and where records differ from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUTCOMES = ("reproduced", "contradicted", "inconclusive")


@dataclass(frozen=True)
class Expected:
    """One line of the list; a record of None stands for every record."""

    claim: str
    outcome: str
    record: str | None = None

    def is_about(self, entry: Mapping[str, Any]) -> bool:
        """Whether it speaks of this verdict."""
        return self.claim == entry["claim"] and self.record in (None, entry["record"])

    def __str__(self) -> str:
        return self.claim if self.record is None else f"{self.claim} ({self.record})"


@dataclass(frozen=True)
class Comparison:
    """What differs from the list, and records that the list says nothing of."""

    differences: tuple[str, ...]
    unlisted: tuple[str, ...]


def read_expected(path: Path) -> tuple[Expected, ...]:
    """The lines of what `caltrop check --json` printed, or of {claim: outcome}.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not JSON, holds neither form, no outcome, or one that does not exist.
    """
    if path.is_dir():
        raise IsADirectoryError(f"--expect {path} is a folder; name the file that caltrop check DIR --json printed.")
    if not path.is_file():
        raise FileNotFoundError(f"--expect {path} is not there; caltrop check DIR --json prints one.")
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--expect {path} is not JSON: {error}") from error
    lines = _lines(path, held)
    if not lines:
        # every record would be left out, and nothing could ever differ
        raise ValueError(f"--expect {path} names no outcome; caltrop check DIR --json prints them.")
    for line in lines:
        if line.outcome not in OUTCOMES:
            raise ValueError(
                f"--expect {path}: {line.claim} is {line.outcome!r}, which is none of {', '.join(OUTCOMES)}."
            )
    return lines


def compare(expected: Sequence[Expected], entries: Sequence[Mapping[str, Any]]) -> Comparison:
    """One sentence for each outcome that differs, is missing, or is new in a record that the list names."""
    told = []
    named = {line.record for line in expected}
    listed = [entry for entry in entries if None in named or entry["record"] in named]
    for entry in listed:
        where = f"{entry['claim']} ({entry['record']})"
        about = [line for line in expected if line.is_about(entry)]
        if not about:
            told.append(f"{where}: {entry['outcome']}, and not in the list")
        elif about[0].outcome != entry["outcome"]:
            told.append(f"{where}: {entry['outcome']}, expected {about[0].outcome}; {entry['why']}")
    told += [f"{line}: no record, expected {line.outcome}" for line in expected if not any(map(line.is_about, entries))]
    unlisted = {entry["record"]: None for entry in entries if entry not in listed}
    return Comparison(tuple(told), tuple(unlisted))


def _lines(path: Path, held: Any) -> tuple[Expected, ...]:
    if isinstance(held, dict) and isinstance(held.get("verdicts"), list):
        entries = held["verdicts"]
        if all(isinstance(entry, dict) and "claim" in entry and "outcome" in entry for entry in entries):
            return tuple(Expected(entry["claim"], entry["outcome"], entry.get("record")) for entry in entries)
    elif isinstance(held, dict) and all(isinstance(value, str) for value in held.values()):
        return tuple(Expected(claim, outcome) for claim, outcome in held.items())
    raise ValueError(
        f'--expect {path} must hold {{"verdicts": [{{"claim", "outcome"}}, ...]}}, as caltrop check --json prints, '
        "or {claim: outcome}."
    )
