"""Problems, solved: many starts at once, certificates that say what is proved, and names for what was found."""

import inspect
import sys
from types import ModuleType
from typing import Any

from caltrop.solve.certificate import Certificate, certify
from caltrop.solve.curvature import Curvature
from caltrop.solve.imbalance import Imbalance, ImbalanceCurve, ImbalancePoint, imbalance_curve, merging_count
from caltrop.solve.nuclear import NuclearSolution, solve_nuclear
from caltrop.solve.outcomes import MEANINGS, OUTCOMES
from caltrop.solve.solution import Solution, Trajectory
from caltrop.solve.solve import METHODS, solve, solve_grid
from caltrop.solve.structure import Structure, name_structure, name_structures

__all__ = [
    "MEANINGS",
    "METHODS",
    "OUTCOMES",
    "Certificate",
    "Curvature",
    "Imbalance",
    "ImbalanceCurve",
    "ImbalancePoint",
    "NuclearSolution",
    "Solution",
    "Structure",
    "Trajectory",
    "certify",
    "imbalance_curve",
    "merging_count",
    "name_structure",
    "name_structures",
    "solve",
    "solve_grid",
    "solve_nuclear",
]


class _Door(ModuleType):
    """This module, callable: `caltrop.solve` is a door, and importing this module puts it in the door's place."""

    def __call__(self, *args: Any, **kwargs: Any) -> Solution:
        return solve(*args, **kwargs)


sys.modules[__name__].__class__ = _Door
sys.modules[__name__].__dict__["__signature__"] = inspect.signature(solve)
