"""Running an experiment: every planned cell once, resumable, then judged."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from caltrop.papers.experiment import Experiment, Outcome, plain
from caltrop.papers.fields import changed, from_plain
from caltrop.papers.inline import InlineExecutor
from caltrop.papers.judging import JudgedRecord
from caltrop.papers.progress import RunProgress
from caltrop.papers.registry import get
from caltrop.papers.session import Session, TimedCheckpoint
from caltrop.record import CellRecord, Planned, Record, RunFolder, cell_key, provenance, run_many
from caltrop.rows import Rows


@dataclass(frozen=True)
class Work:
    """What all cells of a run share; travels to the workers."""

    experiment: str
    scale: str
    run: Callable[[Any, Session], Outcome]
    config_classes: Mapping[str, type]
    folder: str | None
    device: str
    progress: bool
    force: bool
    argv: tuple[str, ...] | None


def run(
    name: str,
    scale: str = "smoke",
    seed: int = 0,
    *,
    seeds: Sequence[int] | None = None,
    out: str | os.PathLike[str] | None = None,
    fields: Mapping[str, Any] | None = None,
    force: bool = False,
    executor: Executor | None = None,
    workers: int | None = None,
    device: str = "cpu",
    progress: bool = True,
    argv: Sequence[str] | None = None,
) -> JudgedRecord:
    """Run a paper's experiment and judge its claims.

    Parameters
    ----------
    name, scale
        As in `caltrop papers`; scales are "smoke" (seconds), "desk" (minutes) and "paper".
    seed, seeds
        One seed, or several; several run side by side in a pool of processes.
    out
        Folder of the record. Cells that are finished there are not computed again, those that were interrupted go
        on from their last complete point. None writes nothing.
    fields
        Fields of the configuration to change, by name: `{"epochs": 20}`.
    force
        Compute again what is finished.
    executor, workers
        As in `caltrop.run_many`; a single cell runs in this process.
    device
        Where networks train: "cpu", "cuda", ….
    progress
        A bar on a terminal, lines elsewhere, on stderr.
    argv
        The command line, for the record; the process's own where None.

    Returns
    -------
    JudgedRecord
        `.record`, `.verdicts`, `.rows`, `.report(path)`. A cell that fails is named in `.record.failures`, and the
        claims are inconclusive.

    Raises
    ------
    UnknownExperiment
        No paper has that name (a KeyError; the nearest are offered), or no such scale.
    ValueError
        Unknown or ill-typed fields, no seeds, or a folder that holds another run.
    """
    experiment = get(name)
    config = changed(experiment.config(scale), fields or {})
    record = planned_record(experiment, scale, config, (seed,) if seeds is None else tuple(seeds))
    folder = None if out is None else RunFolder(out)
    if folder is not None:
        folder.begin(record, replace=force)
    todo = [cell for cell in record.planned if folder is None or force or not folder.has(cell.key)]
    work = Work(
        experiment.name,
        scale,
        experiment.run,
        config_classes(experiment, config, record),
        None if folder is None else str(folder.path),
        device,
        progress and len(todo) == 1 and executor is None,
        force,
        None if argv is None else tuple(argv),
    )
    configs = [{**cell.as_dict(), "is_first": cell.seed == record.planned[0].seed} for cell in todo]
    alone = len(todo) == 1 and executor is None
    look = folder.progress if folder is not None else lambda _: None
    with RunProgress(tuple(todo), look, record.called, shown=progress and not alone and bool(todo)) as shown:
        cells = run_many(
            partial(run_cell, work),
            configs,
            executor=InlineExecutor() if alone else executor,
            workers=workers,
            progress=False,
            on_done=shown.after,
        )
    failures = {cell.config["key"]: cell.error for cell in cells if cell.error is not None}
    if folder is None:
        done = tuple(cell.value for cell in cells if cell.value is not None)
        return JudgedRecord(replace(record, cells=done, failures=failures))
    for key, error in failures.items():
        # on a full disk the note is lost too; the failure is told all the same
        with suppress(OSError):
            folder.note_failure(key, error)
    found = folder.read()
    there = {cell.key for cell in found.cells}
    told = {key: error for key, error in failures.items() if force or key not in there}
    return JudgedRecord(replace(found, failures={**found.failures, **told}), folder.path)


def planned_record(experiment: Experiment, scale: str, config: Any, seeds: Sequence[int]) -> Record:
    """The record of a run before anything was computed: what is planned.

    Raises ValueError for no seed, a repeated one or a negative one.
    """
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise ValueError(f"seeds={list(seeds)} must be different integers of 0 or more, at least one.")
    planned = []
    for case in experiment.cases(config):
        for seed in seeds:
            fields = plain(case.config)
            key = cell_key({"experiment": experiment.name, "config": fields, "seed": seed})
            planned.append(Planned(key, case.name, seed, fields))
    return Record(
        experiment=experiment.name,
        scale=scale,
        title=experiment.title,
        config=plain(config),
        planned=tuple(planned),
        cells=(),
        charts=experiment.charts,
    )


def config_classes(experiment: Experiment, config: Any, record: Record) -> dict[str, type]:
    """The class of each planned cell's configuration, by key."""
    kinds = {case.name: type(case.config) for case in experiment.cases(config)}
    return {cell.key: kinds[cell.case] for cell in record.planned}


def run_cell(work: Work, planned: Mapping[str, Any]) -> CellRecord | None:
    """Compute one cell where the work is done: the record itself, or None where it lies in the folder."""
    folder = None if work.folder is None else RunFolder(work.folder)
    key = planned["key"]
    with nullcontext() if folder is None else folder.cell_lock(key):
        # another process may have finished it while this one waited for the lock
        if folder is not None and folder.has(key) and not work.force:
            return None
        checkpoint = TimedCheckpoint(None if folder is None else folder.checkpoint(key))
        if work.force:
            checkpoint.clear()
        session = Session(planned["seed"], checkpoint, work.device, planned["is_first"], work.progress)
        outcome = work.run(from_plain(work.config_classes[key], planned["config"]), session)
        cell = _recorded(work, planned, outcome, checkpoint)
        if folder is None:
            return cell
        folder.write_cell(cell)
        checkpoint.clear()
        return None


def _recorded(work: Work, planned: Mapping[str, Any], outcome: Outcome, timed: TimedCheckpoint) -> CellRecord:
    rows = Rows.of(outcome.rows).with_columns(case=planned["case"])
    return CellRecord(
        experiment=work.experiment,
        scale=work.scale,
        key=planned["key"],
        case=planned["case"],
        seed=planned["seed"],
        config=dict(planned["config"]),
        rows=rows,
        preconditions=dict(outcome.conditions),
        provenance=provenance(
            seconds=timed.seconds,
            argv=work.argv,
            **{**outcome.facts, "device": work.device, "sessions": timed.sessions},
        ),
        clock=outcome.clock,
        notes=outcome.notes,
        per_class=outcome.per_class,
        pictures=outcome.pictures,
    )
