"""The doors: the only place where streams, statistics and measures meet."""

from caltrop.observe.evaluate import evaluate
from caltrop.observe.features import measure
from caltrop.observe.models import Watch, observe
from caltrop.observe.observation import Observation

__all__ = ["Observation", "Watch", "evaluate", "measure", "observe"]
