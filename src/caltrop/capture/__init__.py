"""From a model and a loader to features, layer by layer, leaving both as they were."""

from __future__ import annotations

from caltrop.capture.determinism import NotDeterministic
from caltrop.capture.names import module_names
from caltrop.capture.probe import Probe
from caltrop.capture.reading import Captured

__all__ = ["Captured", "NotDeterministic", "Probe", "module_names"]
