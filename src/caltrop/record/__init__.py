"""Studies on disk and back, with where they came from."""

from caltrop.record.files import write_text
from caltrop.record.provenance import environment, provenance
from caltrop.record.study_file import FORMAT, read_study, write_study

__all__ = ["FORMAT", "environment", "provenance", "read_study", "write_study", "write_text"]
