"""caltrop phase: which family wins over classes, depths and penalties, and how often descent finds collapse."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caltrop.cli.outputs import check_page, out_folder, say, write_results
from caltrop.cli.phase_settings import CLASSES, DECAYS, DEPTHS, SETTINGS

if TYPE_CHECKING:
    from caltrop.rows import Study
    from caltrop.solve.prevalence import Deep, Prevalence
    from caltrop.theory.phase import PhaseDiagram

FOLDER = Path("results/phase")


def phase(
    problem: Annotated[
        str | None, typer.Argument(metavar="PROBLEM", help=f"{' or '.join(SETTINGS)}; both where none is given.")
    ] = None,
    num_classes: Annotated[
        list[int] | None,
        typer.Option("--num-classes", metavar="K ...", help="Numbers of classes [default: 2 4 6 10]."),
    ] = None,
    depths: Annotated[
        list[int] | None, typer.Option("--depths", metavar="L ...", help="Depths [default: 1 2 ... 8].")
    ] = None,
    penalties: Annotated[
        list[float] | None,
        typer.Option(
            "--penalties", metavar="X ...", help="Penalties of every factor [default: 1e-5 to 1; few are solved]."
        ),
    ] = None,
    widths: Annotated[
        list[int] | None,
        typer.Option(
            "--widths", metavar="D ...", help="Widths of the solved part [default: up to 8 times the classes]."
        ),
    ] = None,
    solve_at: Annotated[
        tuple[int, int] | None,
        typer.Option("--solve-at", metavar="K L", help="Classes and depth of the solved part [default: 6 2; mse 6 4]."),
    ] = None,
    seeds: Annotated[
        list[int] | None,
        typer.Option(
            "--seeds", metavar="N", help="How many starts, or their seeds where several [default: 24; mse 12]."
        ),
    ] = None,
    closed_forms: Annotated[
        bool, typer.Option("--closed-forms", help="Solve nothing: seconds instead of a minute.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print strict JSON.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.html", help=f"The page to write [default: with a record in {FOLDER}]."),
    ] = None,
) -> None:
    """Phase diagrams of the deep features models: where collapse exists, wins, ties and loses stability.

    \b
    Closed forms say which family has the least loss over classes, depths and penalties; solved starts say
    how often descent ends in collapse, over widths and penalties. --penalties sets those of both.

    \b
    Examples:
      caltrop phase                                         both models, about a minute and a half
      caltrop phase deep-ufm-cross-entropy --out phase.html
      caltrop phase deep-ufm-mse --num-classes 10 15 --depths 3 4 5 --closed-forms
      caltrop phase deep-ufm-cross-entropy --solve-at 10 2 --widths 10 20 40 --penalties 1e-4 1e-3 1e-2 --json

    \b
    --json prints {"diagrams": [{"problem", "thresholds", "points"}], "prevalence": [{"problem", "cells"}],
    "record", "page"}.
    """
    if problem is not None and problem not in SETTINGS:
        raise ValueError(f"there is no phase diagram of '{problem}'; choose {' or '.join(SETTINGS)}.")
    if closed_forms and (widths or solve_at or seeds):
        raise ValueError("--closed-forms solves nothing, so that --widths, --solve-at and --seeds have no meaning.")
    if out is not None:
        check_page(out)
    from caltrop.cli.phase_page import Found, phase_json, phase_study
    from caltrop.cli.phase_table import phase_table, prevalence_table
    from caltrop.rows import to_json
    from caltrop.theory.unconstrained import penalty, whole

    classes = _axis("--num-classes", num_classes or CLASSES, lambda value: whole("--num-classes", value, 2, _ONE_CLASS))
    layers = _axis("--depths", depths or DEPTHS, lambda value: whole("--depths", value, 1, _NO_LAYER))
    asked = _axis("--penalties", penalties or (), lambda value: penalty("--penalties", value))
    dims = _axis("--widths", widths or (), lambda value: whole("--widths", value, 1, "features have a width"))
    names = tuple(SETTINGS) if problem is None else (problem,)
    models = {} if closed_forms else {name: _model(name, solve_at, dims) for name in names}
    starts: Any = seeds[0] if seeds and len(seeds) == 1 else tuple(seeds or ())
    if seeds and len(seeds) == 1:
        whole("--seeds", starts, 1, "it is the number of starts, or their seeds where several")
    started = time.perf_counter()
    with out_folder(FOLDER if out is None else None) as folder:
        diagrams = {name: _diagram(name, classes, layers, asked or DECAYS) for name in names}
        shares = {name: _shares(name, model, dims, asked, starts) for name, model in models.items()}
        found = [Found(name, diagrams[name], shares.get(name)) for name in names]
        study = phase_study(found, seconds=time.perf_counter() - started)
        files = _written(study, folder, out)
    say(study.notes)
    if as_json:
        print(to_json({**phase_json(found), **{kind: str(path) for kind, path in files.items()}}))
        return
    for one in found:
        print(phase_table(one.name, one.diagram))
        if one.prevalence is not None:
            print(prevalence_table(one.prevalence))
    for kind, path in files.items():
        print(f"{kind}: {path}")


_ONE_CLASS = "one class has nothing to be told apart from"
_NO_LAYER = "a features model has at least its head"


def _shares(name: str, model: Deep, dims: Sequence[int], asked: tuple[float, ...], starts: Any) -> Prevalence:
    """How often descent ends in collapse, by the settings of the problem where nothing else is asked for."""
    from caltrop.solve.prevalence import prevalence

    known = SETTINGS[name]
    decays = asked or known.decays
    return prevalence(
        model,
        dims=dims or known.dims(model.num_classes),
        decays=decays,
        seeds=starts or known.starts,
        max_steps=known.steps(decays),
        progress=True,
        **known.options,
    )


def _model(name: str, at: tuple[int, int] | None, dims: Sequence[int]) -> Deep:
    """The problem of the solved part; refused where collapse has no room in one of the widths."""
    from caltrop.theory import DeepUfmCrossEntropy, DeepUfmMse
    from caltrop.theory.unconstrained import whole

    known = SETTINGS[name]
    classes = whole("--solve-at", (at or known.at)[0], 2, _ONE_CLASS)
    depth = whole("--solve-at", (at or known.at)[1], 1, _NO_LAYER)
    narrow = [dim for dim in dims or known.dims(classes) if dim < classes]
    if narrow:
        raise ValueError(
            f"width {narrow[0]} has no room for the collapse of {classes} classes; give --widths of {classes} or more."
        )
    kind: type[Deep] = DeepUfmMse if name == "deep-ufm-mse" else DeepUfmCrossEntropy
    return kind(num_classes=classes, depth=depth, dim=classes, weight_decay=1.0, feature_decay=1.0)


def _diagram(name: str, classes: tuple[int, ...], depths: tuple[int, ...], decays: tuple[float, ...]) -> PhaseDiagram:
    from caltrop.theory.phase import cross_entropy_phases, squared_error_phases

    kind = {"deep-ufm-mse": squared_error_phases, "deep-ufm-cross-entropy": cross_entropy_phases}[name]
    return kind(classes, depths, decays)


def _axis(name: str, given: Sequence[Any], checked: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The values in order, each of them checked and there once."""
    values = tuple(sorted(map(checked, given)))
    twice = next((low for low, high in pairwise(values) if low == high), None)
    if twice is not None:
        raise ValueError(f"{name} has {twice:g} twice; give every value once.")
    return values


def _written(study: Study, folder: Path | None, out: Path | None) -> dict[str, Path]:
    from caltrop.report import write_page

    if folder is not None:
        record, page = write_results(study, folder)
        return {"record": record, "page": page}
    assert out is not None
    return {"page": write_page(study, out)}
