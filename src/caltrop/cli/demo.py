"""caltrop demo: the experiment on collapse in the terminal phase, at its smallest honest scale."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caltrop.cli.run import run_into

PAPER = "papyan2020prevalence"


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Write the record and page.html there.")] = Path(
        "results/demo"
    ),
    network: Annotated[str, typer.Option("--network", metavar="NAME", help="mlp or resnet.")] = "mlp",
    seed: Annotated[int, typer.Option("--seed", help="Decides images, initial weights and their order.")] = 0,
    classes: Annotated[
        list[int] | None,
        typer.Option("--classes", metavar="DIGIT ...", help="Digits to keep, all of them where not given."),
    ] = None,
    per_class: Annotated[
        int | None, typer.Option("--per-class", metavar="N", help="Training images per class.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Seconds, on 8×8 digits.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Train again what is finished.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print strict JSON.")] = False,
) -> None:
    """Train a small network on real images until it collapses, judge what it shows, and name the page.

    \b
    One seed of the experiment papyan2020prevalence; takes a few minutes on two cores and goes on where
    it was interrupted. Images come from this machine: $CALTROP_DATA, torchvision's folder, or an
    installed package; nothing is downloaded.

    \b
    Examples:
      caltrop demo
      caltrop demo --classes 0 1 2 3 --out results/four      four classes: the means in 3-D, a caltrop
      caltrop demo --network resnet --seed 1 --out results/resnet
      caltrop demo --quick --out results/quick
    """
    if classes is not None and len(set(classes)) < 2:
        raise ValueError("--classes needs at least two different digits: one class has nothing to collapse against.")
    unknown = [label for label in classes or () if not 0 <= label <= 9]
    if unknown:
        raise ValueError(f"--classes {unknown[0]} is no digit; give some of 0 to 9.")
    from caltrop.papers.papyan2020prevalence import demonstration

    scale, fields = demonstration(network, quick=quick, classes=tuple(classes or ()), per_class=per_class)
    run_into(out, PAPER, scale, (seed,), fields=fields, force=force, as_json=as_json, is_demo=True)
