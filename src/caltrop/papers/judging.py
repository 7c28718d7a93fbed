"""Records and their verdicts: judged from the rows each time, never stored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from caltrop.measures import glosses
from caltrop.papers.evidence import Evidence
from caltrop.papers.registry import get
from caltrop.record import Record
from caltrop.report import html_verdicts, verdict_table, write_page
from caltrop.rows import Row, Study, Verdict, to_json


def judge(record: Record) -> tuple[Verdict, ...]:
    """The verdict on every claim of the record's experiment.

    Raises:
        UnknownExperiment: this version knows no experiment of that name.
    """
    evidence = Evidence.of(record)
    return tuple(claim.judge(evidence) for claim in get(record.experiment).claims)


@dataclass(frozen=True, eq=False)
class JudgedRecord:
    """A record with its verdicts, as `caltrop.papers.run` gives it.

    `record` is what lies on disk; `verdicts` are judged from it on first use; `folder` is where it lies, None
    where nothing was written.
    """

    record: Record
    folder: Path | None = None

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """One verdict for every claim of the paper."""
        return list(judge(self.record))

    @property
    def rows(self) -> Sequence[Row]:
        """All rows of all seeds and cases."""
        return self.record.rows

    def study(self) -> Study:
        """Rows, pictures and verdicts as a page shows them."""
        study = self.record.study(tuple(self.verdicts))
        return replace(
            study,
            notes=(*study.notes, *get(self.record.experiment).remarks),
            glosses=glosses(self.record.rows.distinct("measure")) | dict(get(self.record.experiment).glosses),
        )

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the self-contained page."""
        return write_page(self.study(), path)

    def table(self) -> str:
        """The verdicts as plain text."""
        return verdict_table(self.verdicts)

    def to_json(self) -> str:
        """Strict JSON: {"verdicts": [...]}."""
        return to_json({"verdicts": [verdict.as_dict() for verdict in self.verdicts]})

    def to_pandas(self) -> Any:
        """The rows as a data frame, training error and weight-decay time beside each trained row."""
        return self.record.to_pandas()

    def _repr_html_(self) -> str:
        return html_verdicts(self.verdicts)

    def __repr__(self) -> str:
        outcomes = [verdict.outcome for verdict in self.verdicts]
        counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
        return f"<{self.record.experiment}, {self.record.scale}, {self.record.status}: {counts or 'no claims'}>"
