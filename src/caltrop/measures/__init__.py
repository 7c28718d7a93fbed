"""Statistics to numbers: one property of collapse per file, all in one registry.

The order of the imports is the order in which measures are listed everywhere.
"""

from caltrop.measures.registry import Measure, Measured, Undefined, get, glosses, measure, names

# isort: split
from caltrop.measures import variability

# isort: split
from caltrop.measures import rank

# isort: split
from caltrop.measures import configuration

# isort: split
from caltrop.measures import duality

# isort: split
from caltrop.measures import decisions, packing

__all__ = [
    "Measure",
    "Measured",
    "Undefined",
    "configuration",
    "decisions",
    "duality",
    "get",
    "glosses",
    "measure",
    "names",
    "packing",
    "rank",
    "variability",
]
