"""Caltrop: an instrument for neural collapse.

Public names resolve on first use, so that `import caltrop` and `caltrop --help` load no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# name -> the module that has it, and its name there ("" for the module itself)
_PUBLIC = {
    "measure": ("caltrop.observe", "measure"),
    "observe": ("caltrop.observe", "observe"),
    "evaluate": ("caltrop.observe", "evaluate"),
    "measure_problem": ("caltrop.observe", "measure_problem"),
    "solve": ("caltrop.solve", ""),
    "run_many": ("caltrop.record", "run_many"),
    "Watch": ("caltrop.observe", "Watch"),
    "Observation": ("caltrop.observe", "Observation"),
    "ClassMoments": ("caltrop.stats", "ClassMoments"),
    "SpanMoments": ("caltrop.stats", "SpanMoments"),
    "Head": ("caltrop.stats", "Head"),
    "NotDeterministic": ("caltrop.capture", "NotDeterministic"),
    "simplex_etf": ("caltrop.geometry", "simplex_etf"),
    "orthogonal_frame": ("caltrop.geometry", "orthogonal_frame"),
    "measures": ("caltrop.measures", ""),
    "data": ("caltrop.data", ""),
    "models": ("caltrop.models", ""),
    "train": ("caltrop.train", ""),
    "theory": ("caltrop.theory", ""),
    "papers": ("caltrop.papers", ""),
    "report": ("caltrop.report", ""),
    "record": ("caltrop.record", ""),
    "stats": ("caltrop.stats", ""),
}

__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        try:
            return import_module("caltrop._version").__version__
        except ImportError:
            return "0.0.0+unknown"
    if name not in _PUBLIC:
        raise AttributeError(f"caltrop has no '{name}'; public names: {', '.join(sorted(_PUBLIC))}")
    module, attribute = _PUBLIC[name]
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return sorted(__all__)
