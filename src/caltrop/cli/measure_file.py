"""Measuring features that lie in a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caltrop.cli.requests import Request

if TYPE_CHECKING:
    from caltrop.data.features_file import FeaturesFile
    from caltrop.observe import Observation


@dataclass(frozen=True)
class Found:
    """What was measured, with what a page says about it. `clock` is the unit of the steps, if any."""

    seen: Observation
    title: str
    clock: str | None = None
    notes: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)


def measure_file(request: Request) -> Found:
    """Measure every layer of the file, with the head on the one layer it belongs to.

    Raises:
        ValueError, TypeError, OSError, ImportError: the file or its contents cannot be measured.
    """
    from caltrop.data.array_files import describe
    from caltrop.data.features_file import read_features
    from caltrop.observe import Observation, measure

    assert request.features is not None
    read = read_features(request.features, labels_path=request.labels_file, layers=request.layers or None)
    head = _head(request, read)
    num_classes = request.num_classes
    if num_classes is None and head.weights is not None:
        # the head knows how many classes there are, for every layer
        num_classes = int(head.weights.shape[0])
    more: dict[str, Any] = {"measures": request.measures} if request.measures else {}
    if request.ignore_index is not None:
        more["ignore_index"] = request.ignore_index
    parts = [
        measure(
            layer,
            read.labels,
            weights=head.weights if name == head.layer else None,
            bias=head.bias if name == head.layer else None,
            num_classes=num_classes,
            layer=name,
            **more,
        )
        for name, layer in read.layers.items()
    ]
    return Found(
        seen=Observation.merged(parts) if len(parts) > 1 else parts[0],
        title=f"Neural collapse in {request.features.name}",
        notes=(*read.notes, *head.notes),
        provenance={"features": {name: describe(layer) for name, layer in read.layers.items()}},
    )


@dataclass(frozen=True)
class _Head:
    weights: Any = None
    bias: Any = None
    layer: str | None = None
    notes: tuple[str, ...] = ()


def _head(request: Request, read: FeaturesFile) -> _Head:
    """The head of --head-file if there is one, else that of the features file."""
    from caltrop.data.features_file import place_head
    from caltrop.data.head_file import read_head

    if request.head_file is None:
        return _Head(read.weights, read.bias, read.head_layer)
    found = read_head(
        request.head_file,
        dims={int(layer.shape[1]) for layer in read.layers.values()},
        num_classes=request.num_classes or _classes_of(read.labels, request.ignore_index),
        module=request.head,
    )
    layer = place_head(found.weights, read.layers, found.bias)
    unused = ("the head inside the features file is not used",) if read.weights is not None else ()
    return _Head(found.weights, found.bias, layer, (*unused, f"{found.note} and stands on the layer {layer!r}"))


def _classes_of(labels: Any, ignore_index: tuple[int, ...] | None) -> int | None:
    """The number of classes that the labels show; only to tell a head from hidden layers, so it may be unknown."""
    import numpy as np

    values = np.asarray(labels)
    if values.ndim > 1 and values.shape[1] > 1:
        return int(values.shape[1])
    kept = values[~np.isin(values, ignore_index or (-1, -100))]
    return int(kept.max()) + 1 if kept.size and values.dtype.kind in "iu" else None
