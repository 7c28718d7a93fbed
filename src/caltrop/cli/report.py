"""caltrop report: a record as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    record: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with a record.json, as demo and measure --out leave it.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="The page to write [default: DIR/page.html].")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print strict JSON.")] = False,
) -> None:
    """Draw a record as one self-contained page, and name the page.

    \b
    Examples:
      caltrop report results/demo
      caltrop report results/demo --out collapse.html
    """
    from caltrop.record import read_study
    from caltrop.report import write_page
    from caltrop.rows import to_json

    study = read_study(record)
    folder = record if record.is_dir() else record.parent
    path = folder / "page.html" if out is None else out
    _check(path)
    write_page(study, path)
    print(to_json({"page": str(path)}) if json else path)


def _check(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name the page's file, for example {path / 'page.html'}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist; create it first.")
