"""caltrop run: a paper's experiment, from training or solving to verdicts and page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caltrop.cli.arguments import running
from caltrop.cli.outputs import out_folder

if TYPE_CHECKING:
    from caltrop.papers import JudgedRecord

# what torch's generators take
_LARGEST_SEED = 2**63 - 1
_UNSAFE = str.maketrans(dict.fromkeys(' /\\:*?"<>|', "_"))


def run(
    paper: Annotated[str, typer.Argument(metavar="PAPER", help="A name that `caltrop papers` lists.")],
    scale: Annotated[str, typer.Option("--scale", metavar="SCALE", help="smoke (seconds), desk (minutes), paper.")],
    seeds: Annotated[
        list[int] | None, typer.Option("--seeds", metavar="N ...", help="Seeds; the scale's own where not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder of the record [default: results/PAPER/SCALE].")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE ...", help="Change fields of the scale's configuration."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes side by side [default: one a core].")
    ] = None,
    device: Annotated[str, typer.Option("--device", metavar="NAME", help="Where networks train.")] = "cpu",
    force: Annotated[bool, typer.Option("--force", help="Compute again what is finished.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print strict JSON.")] = False,
) -> None:
    """Run a paper's experiment, judge its claims, and draw the page.

    \b
    Resumable: what is finished is not computed again, and a run that was interrupted goes on from its
    last complete point; give the same command. Exit code 1 where a claim is contradicted.

    \b
    Examples:
      caltrop run papyan2020prevalence --scale smoke
      caltrop run papyan2020prevalence --scale desk --seeds 0 1 2
      caltrop run papyan2020prevalence --scale desk --set network=resnet widths="12 24 48" --out results/resnet

    \b
    --json prints {"verdicts": [{"claim", "outcome", "measured", "expected", "why", ...}], ...}.
    """
    from caltrop.cli.devices import check_device
    from caltrop.papers import get
    from caltrop.papers.fields import changed

    experiment = get(paper)
    fields = _fields(changes or [])
    changed(experiment.config(scale), fields)
    check_device(device)
    if workers is not None and workers < 1:
        raise ValueError(f"--workers {workers} is impossible; give 1 or more.")
    chosen = tuple(seeds) if seeds else experiment.seeds[scale]
    folder = _default(paper, scale, fields) if out is None else out
    run_into(folder, paper, scale, chosen, fields=fields, workers=workers, device=device, force=force, as_json=as_json)


def run_into(
    folder: Path,
    paper: str,
    scale: str,
    seeds: tuple[int, ...],
    *,
    fields: Mapping[str, object],
    workers: int | None = None,
    device: str = "cpu",
    force: bool = False,
    as_json: bool = False,
    is_demo: bool = False,
) -> None:
    """Run, write record and page, print verdicts; leaves with the exit code that they mean."""
    import caltrop.papers

    _check_seeds(seeds)
    try:
        with out_folder(folder):
            judged = caltrop.papers.run(
                paper,
                scale,
                seeds=seeds,
                out=folder,
                fields=fields,
                force=force,
                workers=workers,
                device=device,
                progress=True,
                argv=running.get(),
            )
            page = judged.report(folder / "page.html")
    except (KeyboardInterrupt, OSError) as error:
        if folder.is_dir():
            error.add_note(f"What is finished is safe in {folder}; the same command goes on from there.")
        raise
    _print(judged, folder, page, as_json, is_demo)


def _print(judged: JudgedRecord, folder: Path, page: Path, as_json: bool, is_demo: bool) -> None:
    from caltrop.cli.records import leave, tell_failures
    from caltrop.rows import to_json

    if as_json:
        verdicts = [verdict.as_dict() for verdict in judged.verdicts]
        notes = list(judged.study().notes)
        print(
            to_json(
                {
                    "verdicts": verdicts,
                    "notes": notes,
                    "failures": judged.record.failures,
                    "record": str(folder),
                    "page": str(page),
                }
            )
        )
    else:
        for note in judged.study().notes if is_demo else ():
            print(note)
        print(f"{judged.table()}\nrecord: {folder}\npage: {page}")
    tell_failures(judged)
    # a demonstration shows what happened; it is not a test that may fail
    leave(() if is_demo else judged.verdicts, failed=bool(judged.record.failures))


def _fields(changes: list[str]) -> dict[str, str]:
    read: dict[str, str] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not (name and equals):
            raise ValueError(f"--set {change} does not change a field; write it as FIELD=VALUE, for example epochs=20.")
        name = name.replace("-", "_")
        if name in read:
            raise ValueError(f"--set gives {name} twice, {read[name]} and {value}; give it once.")
        read[name] = value
    return read


def _check_seeds(seeds: tuple[int, ...]) -> None:
    wrong = [seed for seed in seeds if not 0 <= seed <= _LARGEST_SEED]
    if wrong:
        raise ValueError(f"the seed {wrong[0]} cannot be used; give integers from 0 to {_LARGEST_SEED}.")


def _default(paper: str, scale: str, fields: dict[str, str]) -> Path:
    # another configuration is another run: it must not be mistaken for the paper's scale
    changes = "".join(f"-{name}={value}" for name, value in sorted(fields.items()))
    return Path("results") / paper / f"{scale}{changes}".translate(_UNSAFE)
