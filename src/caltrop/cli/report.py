"""caltrop report: a record as one page, or a folder of records with a front page."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caltrop.cli.outputs import check_page

if TYPE_CHECKING:
    from caltrop.cli.records import Found
    from caltrop.papers import JudgedRecord
    from caltrop.report import Entry


def report(
    record: Annotated[
        Path, typer.Argument(metavar="DIR", help="What run, demo or measure --out wrote, or a folder of such folders.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="The page to write [default: in DIR].")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print strict JSON.")] = False,
) -> None:
    """Draw a record as one self-contained page, and name the page.

    \b
    A folder that holds several records gets a page for each, and a front page index.html that links them.

    \b
    Examples:
      caltrop report results/demo
      caltrop report results/demo --out collapse.html
      caltrop report results
    """
    from caltrop.rows import to_json

    path = _front(record, out) if _holds_several(record) else _single(record, out)
    print(to_json({"page": str(path)}) if json else path)


def _holds_several(folder: Path) -> bool:
    return folder.is_dir() and not any((folder / name).is_file() for name in ("run.json", "record.json"))


def _single(record: Path, out: Path | None) -> Path:
    from caltrop.cli.records import tell_failures
    from caltrop.papers import JudgedRecord, get
    from caltrop.record import RunFolder, read_study
    from caltrop.report import write_page

    folder = record if record.is_dir() else record.parent
    path = folder / "page.html" if out is None else out
    if not (record.is_dir() and (record / "run.json").is_file()):
        study = read_study(record)
    else:
        judged = JudgedRecord(RunFolder(record).read(), record)
        get(judged.record.experiment)
        tell_failures(judged)
        study = judged.study()
    check_page(path)
    return write_page(study, path)


def _front(folder: Path, out: Path | None) -> Path:
    from caltrop.cli.records import read_all, tell_failures, tell_problems
    from caltrop.report import write_front_page

    found = read_all(folder)
    if not (found.judged or found.studies or found.problems):
        raise FileNotFoundError(
            f"there is no record at {folder}. Give a folder that caltrop run, demo or measure --out wrote."
        )
    path = folder / "index.html" if out is None else out
    for page in (path, *_pages(found)):
        check_page(page)
    entries = _entries(found, path.parent)
    for one in found.judged:
        tell_failures(one)
    tell_problems(found.problems)
    return write_front_page(entries, path)


def _entries(found: Found, home: Path) -> list[Entry]:
    from caltrop.record import read_study
    from caltrop.report import Entry, write_page

    entries = []
    problems = dict(found.problems)
    for one in found.judged:
        page = one.report(_page(one))
        record = one.record
        entries.append(Entry(record.title, _link(page, home), record.experiment, tuple(one.verdicts), _facts(one)))
    for path in found.studies:
        try:
            study = read_study(path)
        except ValueError as error:
            problems[str(path)] = str(error)
            print(f"caltrop: {error}", file=sys.stderr)
            continue
        page = write_page(study, path / "page.html")
        entries.append(Entry(study.title, _link(page, home), "measured", (), {}))
    return entries + [Entry(name, "", "", (), {}, problem=reason) for name, reason in problems.items()]


def _pages(found: Found) -> list[Path]:
    return [*map(_page, found.judged), *(path / "page.html" for path in found.studies)]


def _page(one: JudgedRecord) -> Path:
    assert one.folder is not None
    return one.folder / "page.html"


def _facts(one: JudgedRecord) -> dict[str, str]:
    seeds = sorted({cell.seed for cell in one.record.cells if cell.seed is not None})
    return {
        "scale": one.record.scale,
        "status": one.record.status,
        "seeds": " ".join(map(str, seeds)) or "none",
        "rows": f"{len(one.rows):,}",
    }


def _link(page: Path, home: Path) -> str:
    return Path(os.path.relpath(page, home)).as_posix()
