"""The plain types that flow right through the pipeline: rows, verdicts, pictures, studies.

A `Row` is one number with everything needed to read it; `Rows` holds many of them by column. Rows are tidy:
one measure of one layer at one step. Nothing here computes a measure; nothing here needs torch.
"""

from caltrop.rows.chart import Chart
from caltrop.rows.columns import NUMBERS
from caltrop.rows.phase_map import MapLine, PhaseMap
from caltrop.rows.pictures import ClassValues, Picture
from caltrop.rows.row import COLUMNS, ORIGINS, Row
from caltrop.rows.strict import jsonable, plain_json, to_json
from caltrop.rows.study import Study
from caltrop.rows.table import Rows
from caltrop.rows.verdict import CONTRADICTED, INCONCLUSIVE, OUTCOMES, REPRODUCED, Verdict

__all__ = [
    "COLUMNS",
    "CONTRADICTED",
    "INCONCLUSIVE",
    "NUMBERS",
    "ORIGINS",
    "OUTCOMES",
    "REPRODUCED",
    "Chart",
    "ClassValues",
    "MapLine",
    "PhaseMap",
    "Picture",
    "Row",
    "Rows",
    "Study",
    "Verdict",
    "jsonable",
    "plain_json",
    "to_json",
]
