"""caltrop demo: train on real images, measure every layer along the way, draw the page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from caltrop.cli.arguments import running
from caltrop.cli.outputs import out_folder, write_results

NETWORKS = ("mlp", "resnet")


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Write record.json and page.html there.")] = Path(
        "results/demo"
    ),
    network: Annotated[str, typer.Option("--network", metavar="NAME", help="mlp or resnet.")] = "mlp",
    seed: Annotated[int, typer.Option("--seed", help="Decides images, initial weights and their order.")] = 0,
    classes: Annotated[
        list[int] | None,
        typer.Option("--classes", metavar="DIGIT ...", help="Digits to keep, all of them where not given."),
    ] = None,
    per_class: Annotated[int, typer.Option("--per-class", metavar="N", help="Training images per class.")] = 500,
    quick: Annotated[bool, typer.Option("--quick", help="Seconds, on 8×8 digits: no collapse to expect.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print strict JSON.")] = False,
) -> None:
    """Train a small network on real images until it collapses, and name the page that shows it.

    \b
    Takes a few minutes on two cores. Images come from this machine: $CALTROP_DATA, torchvision's
    folder, or an installed package; nothing is downloaded.

    \b
    Examples:
      caltrop demo
      caltrop demo --classes 0 1 2 3 --out results/four      four classes: the means in 3-D, a caltrop
      caltrop demo --network resnet --seed 1
      caltrop demo --quick
    """
    _check(network, classes)
    with out_folder(out):
        _demo(out, as_json, network, seed, classes, per_class, quick)


def _check(network: str, classes: list[int] | None) -> None:
    if network not in NETWORKS:
        raise ValueError(f"--network {network} is unknown; give {' or '.join(NETWORKS)}.")
    if classes is not None and len(set(classes)) < 2:
        raise ValueError("--classes needs at least two different digits: one class has nothing to collapse against.")


def _demo(
    out: Path,
    as_json: bool,
    network: str,
    seed: int,
    classes: list[int] | None,
    per_class: int,
    quick: bool,
) -> None:
    from dataclasses import replace

    from caltrop.record import provenance
    from caltrop.rows import to_json
    from caltrop.train import run_demo

    started = time.perf_counter()
    study = run_demo(network=network, seed=seed, classes=classes, per_class=per_class, quick=quick)
    origin = provenance(seconds=time.perf_counter() - started, argv=running.get(), **study.provenance)
    study = replace(study, provenance=origin)
    record, page = write_results(study, out)
    if as_json:
        rows = [row.as_dict() for row in study.rows]
        print(to_json({"rows": rows, "notes": study.notes, "record": str(record), "page": str(page)}))
        return
    for note in study.notes:
        print(note)
    print(f"record: {record}\npage: {page}")
