"""caltrop check: stored records, judged again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from caltrop.cli.expected import Comparison
    from caltrop.cli.records import Found
    from caltrop.rows import Verdict


def check(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A record that caltrop run wrote, or a folder that holds some.")
    ],
    expect: Annotated[
        Path | None,
        typer.Option(
            "--expect", metavar="FILE", help="Outcomes to compare with: what --json printed, or {claim: outcome}."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print strict JSON.")] = False,
) -> None:
    """Judge stored records again, from their rows alone.

    \b
    Exit code 1 where a claim is contradicted; with --expect, where an outcome differs from FILE, and only
    there: a contradiction that is expected is no failure. Records that FILE does not name are told and
    left out. A damaged record is named, and the others are judged all the same (exit code 2).

    \b
    Examples:
      caltrop check results/papyan2020prevalence/desk
      caltrop check results --json > verdicts.json
      caltrop check results --expect verdicts.json
    """
    from caltrop.cli.expected import compare, read_expected
    from caltrop.cli.records import CONTRADICTION, leave, read_all, tell_failures, tell_problems
    from caltrop.rows import to_json

    expected = None if expect is None else read_expected(expect)
    found = read_all(folder)
    if not (found.judged or found.problems):
        raise FileNotFoundError(f"there is no record of a paper under {folder}; caltrop run writes them.")
    entries = _entries(found, folder)
    comparison = None if expected is None else compare(expected, entries)
    if as_json:
        extra: dict[str, Any] = {} if comparison is None else {"differences": comparison.differences}
        print(to_json({"verdicts": entries, "problems": found.problems, **extra}))
    else:
        _print(found, comparison)
    for one in found.judged:
        tell_failures(one)
    tell_problems(found.problems)
    if comparison is not None and comparison.differences:
        raise typer.Exit(CONTRADICTION)
    verdicts: list[Verdict] = [] if expected is not None else [v for one in found.judged for v in one.verdicts]
    leave(verdicts, damaged=bool(found.problems) or any(one.record.damaged for one in found.judged))


def _entries(found: Found, home: Path) -> list[dict[str, Any]]:
    """Verdicts with their scale and their record's place under the folder that was asked for."""
    return [
        {**verdict.as_dict(), "scale": one.record.scale, "record": _place(one.folder, home)}
        for one in found.judged
        for verdict in one.verdicts
    ]


def _place(folder: Path | None, home: Path) -> str:
    return "" if folder is None else folder.relative_to(home).as_posix()


def _print(found: Found, comparison: Comparison | None) -> None:
    for one in found.judged:
        print(f"{one.record.experiment}, {one.record.scale}, {one.record.status} ({one.folder})\n{one.table()}\n")
    if comparison is not None:
        for record in comparison.unlisted:
            print(f"{record}: not in the list, left out")
        print("\n".join(comparison.differences) or "All outcomes are as expected.")
