"""Rows on disk and back, with where they came from: single studies, runs of experiments, sweeps."""

from caltrop.files import write_text
from caltrop.record.cell import CellRecord, Planned
from caltrop.record.checkpoint import Checkpoint
from caltrop.record.finding import Found, find_runs
from caltrop.record.keys import cell_key
from caltrop.record.provenance import environment, provenance
from caltrop.record.record import Record
from caltrop.record.run_folder import RunFolder
from caltrop.record.strict_file import FORMAT
from caltrop.record.study_file import read_study, write_study
from caltrop.record.sweep import Cell, run_many

__all__ = [
    "FORMAT",
    "Cell",
    "CellRecord",
    "Checkpoint",
    "Found",
    "Planned",
    "Record",
    "RunFolder",
    "cell_key",
    "environment",
    "find_runs",
    "provenance",
    "read_study",
    "run_many",
    "write_study",
    "write_text",
]
