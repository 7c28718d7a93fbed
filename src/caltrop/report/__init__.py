"""What rows look like to a reader: one self-contained page, a table for terminals, one for notebooks.

Nothing here computes a measure; it draws what a `Study` holds.
"""

from caltrop.report.document import page, write_page
from caltrop.report.notebook import html_table
from caltrop.report.terminal import text_table

__all__ = ["html_table", "page", "text_table", "write_page"]
