"""What rows look like to a reader: one self-contained page, a table for terminals, one for notebooks.

Nothing here computes a measure; it draws what a `Study` holds.
"""

from caltrop.report.document import page, write_page
from caltrop.report.front import Entry, front_page, write_front_page
from caltrop.report.notebook import html_table
from caltrop.report.terminal import text_table
from caltrop.report.verdicts import html_verdicts, verdict_table

__all__ = [
    "Entry",
    "front_page",
    "html_table",
    "html_verdicts",
    "page",
    "text_table",
    "verdict_table",
    "write_front_page",
    "write_page",
]
