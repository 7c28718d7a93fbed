"""The doors: the only place where streams, statistics and measures meet."""

import inspect
import sys
from types import ModuleType
from typing import Any

from caltrop.observe.evaluate import evaluate
from caltrop.observe.features import measure
from caltrop.observe.models import Watch, observe
from caltrop.observe.observation import Observation
from caltrop.observe.problems import measure_problem

__all__ = ["Observation", "Watch", "evaluate", "measure", "measure_problem", "observe"]


class _Door(ModuleType):
    """This module, callable: `caltrop.observe` is a door, and importing this module puts it in the door's place."""

    def __call__(self, *args: Any, **kwargs: Any) -> Observation:
        return observe(*args, **kwargs)


sys.modules[__name__].__class__ = _Door
sys.modules[__name__].__dict__["__signature__"] = inspect.signature(observe)
