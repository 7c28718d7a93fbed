"""What lies under a folder: runs and studies, and what looks like either but is not."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from caltrop.record.run_folder import RUN
from caltrop.record.strict_file import check_format, parse
from caltrop.record.study_file import FILE_NAME


@dataclass(frozen=True)
class Found:
    """What lies under a folder: runs, single studies (record.json), and files that look like either but are not."""

    runs: tuple[Path, ...]
    studies: tuple[Path, ...] = ()
    foreign: dict[Path, str] = field(default_factory=dict)


def find_runs(folder: str | os.PathLike[str]) -> Found:
    """Every run and study under `folder`, which may be one itself, in the order of their paths.

    A run.json or record.json that some other program wrote is named in `foreign`.
    """
    runs, studies, foreign = [], [], {}
    for path in sorted(Path(folder).rglob("*.json")):
        if path.name not in (RUN, FILE_NAME):
            continue
        try:
            held = parse(path)
            check_format(path, held, "run" if path.name == RUN else None)
        except (ValueError, OSError) as error:
            foreign[path] = str(error)
            continue
        if path.name == RUN:
            runs.append(path.parent)
        else:
            studies.append(path.parent)
    return Found(tuple(runs), tuple(studies), foreign)
