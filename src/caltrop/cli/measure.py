"""caltrop measure: features in a file, or a model and its data."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caltrop.cli.arguments import running
from caltrop.cli.outputs import out_folder, say, write_results
from caltrop.cli.requests import Request

if TYPE_CHECKING:
    from caltrop.observe import Observation

_FEATURES = typer.Argument(
    metavar="FEATURES", help="A file with `features` and `labels`: .npz .npy .pt .safetensors .h5", show_default=False
)


def _option(name: str, metavar: str, help_text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=help_text, show_default=False)


def measure(
    features: Annotated[Path | None, _FEATURES] = None,
    labels_file: Annotated[Path | None, _option("--labels-file", "FILE", "Labels, where FEATURES has none.")] = None,
    head_file: Annotated[
        Path | None,
        _option("--head-file", "FILE", "The head: `weights` and `bias`, or a state dict with one that fits."),
    ] = None,
    model: Annotated[
        str | None, _option("--model", "PKG.MOD:NAME", "A torch module, or a function that returns one.")
    ] = None,
    data: Annotated[
        str | None, _option("--data", "PKG.MOD:NAME", "A loader, or a function that returns one or a dict of splits.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        _option("--checkpoint", "CKPT ...", "State dicts to load, one after the other; each is a step."),
    ] = None,
    layers: Annotated[
        list[str] | None,
        _option("--layers", "NAME ...", "Modules or patterns (`name:input` is a module's input); arrays of FEATURES."),
    ] = None,
    head: Annotated[
        str | None,
        _option("--head", "MODULE", "The last linear layer, in the model or in the state dict of --head-file."),
    ] = None,
    task: Annotated[str | None, _option("--task", "TASK", "auto or classification.")] = None,
    pool: Annotated[
        str | None, _option("--pool", "HOW", "How maps and tokens become vectors; auto says what it chose.")
    ] = None,
    device: Annotated[
        str | None, _option("--device", "DEVICE", "Where the model runs: cpu, cuda, cuda:1, mps.")
    ] = None,
    num_classes: Annotated[
        int | None, _option("--num-classes", "K", "Number of classes; from the labels or the head where not given.")
    ] = None,
    ignore_index: Annotated[
        list[int] | None, _option("--ignore-index", "I ...", "Labels to leave out, in place of -1 and -100.")
    ] = None,
    measures: Annotated[
        list[str] | None, _option("--measures", "NAME ...", "Only these measures; all that apply where not given.")
    ] = None,
    ordinal: Annotated[bool, typer.Option("--ordinal", hidden=True)] = False,
    out: Annotated[Path | None, _option("--out", "DIR", "Write record.json and page.html there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print strict JSON instead of a table.")] = False,
) -> None:
    """Measure neural collapse in saved features, or in a model as it reads its data.

    \b
    A features file holds `features` [samples, dim] (or several arrays named by layer), `labels`
    [samples], and optionally `weights` [classes, dim] and `bias` [classes] of the head.
    Options that show "..." take several values. Several checkpoints: the step of each is the last
    number in its file name, else its position (0, 1, ...).

    \b
    Examples:
      caltrop measure features.npz
      caltrop measure features.npy --labels-file labels.npy --head-file head.npz --ignore-index -1 255
      caltrop measure features.safetensors --layers "block*" --json
      caltrop measure --model zoo:resnet --data zoo:loaders --checkpoint runs/epoch_*.pt --out results/run
      caltrop measure --model zoo:resnet --data zoo:test --layers layer3 layer4 fc:input --head fc

    \b
    --json prints {"rows": [...], "per_class": {split: {layer: {measure: {label: value}}}},
    "notes": [...]}; rows of all steps, values per class of the last one (record.json has all).
    """
    request = Request(
        features=features,
        labels_file=labels_file,
        head_file=head_file,
        model=model,
        data=data,
        checkpoints=tuple(checkpoint or ()),
        layers=tuple(layers or ()),
        head=head,
        task=task,
        pool=pool,
        device=device,
        num_classes=num_classes,
        ignore_index=None if ignore_index is None else tuple(ignore_index),
        measures=tuple(measures or ()),
        ordinal=ordinal,
    )
    request.check()
    _measure(request, out, as_json)


def _measure(request: Request, out: Path | None, as_json: bool) -> None:
    from caltrop.cli.measure_file import measure_file
    from caltrop.cli.measure_model import measure_model
    from caltrop.record import provenance
    from caltrop.report import text_table
    from caltrop.rows import to_json

    started = time.perf_counter()
    with out_folder(out) as folder:
        found = measure_file(request) if request.model is None else measure_model(request)
        if request.measures:
            found = replace(found, notes=(*found.notes, *_without_rows(found.seen)))
        origin = provenance(seconds=time.perf_counter() - started, argv=running.get(), **found.provenance)
        study = found.seen.study(title=found.title, clock=found.clock, notes=found.notes, provenance=origin)
        written = write_results(study, folder) if folder is not None else ()
    if as_json:
        files = {path.stem: str(path) for path in written}
        print(to_json({**json.loads(found.seen.to_json()), "notes": study.notes, **files}))
        return
    print(text_table(study.rows), end="")
    # observe has said its own notes already where somebody watches
    told = found.notes if request.model is not None and sys.stderr.isatty() else study.notes
    say(told)
    for path in written:
        print(f"{path.stem}: {path}", file=sys.stderr)


def _without_rows(seen: Observation) -> list[str]:
    """For each measure that was named and has no row at any layer: what it needs.

    Raises:
        ValueError: none of them has a row.
    """
    there = {row.measure for row in seen.rows}
    told = {measure: f"{measure} {why}" for (_, measure), why in seen.missing.items() if measure not in there}
    if not there:
        raise ValueError(f"nothing can be measured: {'; '.join(told.values())}.")
    return list(told.values())
