"""Measuring a model as it reads its data, once or for every checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from caltrop.cli.checkpoints import load_checkpoint, steps_of
from caltrop.cli.devices import check_device
from caltrop.cli.measure_file import Found
from caltrop.cli.requests import Request
from caltrop.cli.user_code import load_loaders, load_model

if TYPE_CHECKING:
    from torch import nn

    from caltrop.observe import Observation


def measure_model(request: Request) -> Found:
    """Measure the model, with each checkpoint in turn where there are any.

    Raises:
        ValueError, TypeError, OSError, ImportError: the model, its data or a checkpoint cannot be used.
    """
    from caltrop.observe import Observation

    assert request.model is not None
    assert request.data is not None
    check_device(request.device)
    _check_checkpoints(request)
    steps, clock = steps_of(request.checkpoints)
    model = load_model(request.model)
    loaders = load_loaders(request.data)
    parts = list(_looks(request, model, loaders, steps))
    provenance: dict[str, Any] = {"model": request.model, "data": request.data}
    if request.checkpoints:
        provenance["checkpoints"] = [path.name for path in request.checkpoints]
    return Found(
        seen=Observation.merged(parts) if len(parts) > 1 else parts[0],
        title=f"Neural collapse in {request.model}",
        clock=clock,
        provenance=provenance,
    )


def _looks(request: Request, model: nn.Module, loaders: Any, steps: list[int | None]) -> Iterator[Observation]:
    from caltrop.observe import observe

    more: dict[str, Any] = {"pool": request.pool} if request.pool else {}
    if request.ignore_index is not None:
        more["ignore_index"] = request.ignore_index
    arguments = {
        "layers": list(request.layers) or None,
        "head": request.head,
        "num_classes": request.num_classes,
        "device": request.device,
        "measures": list(request.measures) or None,
        **more,
    }
    # choices and bars are for somebody who waits; elsewhere the notes come at the end, after success
    watched = sys.stderr.isatty()
    if not request.checkpoints:
        yield observe(model, loaders, progress=watched, **arguments)
    # in the order of the steps: a shell lists epoch_10 before epoch_2
    looks = sorted(zip(request.checkpoints, steps, strict=True), key=lambda look: look[1] or 0)
    for number, (path, step) in enumerate(looks, start=1):
        if watched:
            print(f"checkpoint {number} of {len(looks)}: {path.name}", file=sys.stderr)
        load_checkpoint(model, path)
        # the choices are the same every time: once is enough
        yield observe(model, loaders, step=step, progress=watched and number == 1, **arguments)


def _check_checkpoints(request: Request) -> None:
    """Missing files are told before a model is built and an hour is spent on the first ones."""
    from caltrop.data.file_kinds import kind_of

    for path in request.checkpoints:
        kind_of(path)
