"""A model and a loader: every layer read as the data flows through, split by split."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from caltrop.capture import Captured, Probe
from caltrop.capture.stillness import PrivateStream
from caltrop.measures import Measure
from caltrop.observe.evaluate import Tag, chosen_measures, evaluate_context
from caltrop.observe.features import ignored
from caltrop.observe.observation import Observation
from caltrop.observe.reading import LayerReading, Source
from caltrop.stats import IGNORED, check_range, read_labels, refuse_identifiers
from caltrop.stats.labels import MOST_CLASSES
from caltrop.stats.ways import SPOOL_BYTES

TASKS = ("auto", "classification")


def observe(
    model: nn.Module,
    loader: Iterable[Any] | Mapping[str, Iterable[Any]],
    *,
    task: str = "auto",
    layers: str | Sequence[str] | None = None,
    head: str | None = None,
    num_classes: int | None = None,
    ignore_index: Sequence[int] | int = IGNORED,
    device: str | torch.device | None = None,
    pool: str = "auto",
    measures: Sequence[str] | None = None,
    step: int | float | None = None,
    split: str = "train",
    progress: bool = True,
) -> Observation:
    """Neural collapse of a model's layers on the data of a loader.

    Parameters
    ----------
    model
        any torch module. It is read in eval mode without gradients, and left as it was found: training
        flags, hooks, gradient flags, random states and device are restored, also after an error.
    loader
        yields batches (inputs, labels, …) or dicts, and can be iterated again; or a dict of such
        loaders, one per split.
    layers
        module names or patterns ("layer*", "blocks.*.mlp"); "name" is the module's output, "name:input"
        its input. None takes the head's input and every block's output, and says so.
    head
        name of the last linear layer; None finds it, or says why it could not.
    pool
        how maps and tokens become vectors: "auto", "mean", "flatten", "first", "last" or "every".
    measures
        names from `caltrop.measures.names()`; None measures all whose inputs are given.
    step, split
        written into the rows; with a dict of loaders, its keys are the splits.
    progress
        progress bars and choices on stderr.

    Raises
    ------
    ValueError
        (or TypeError) for bad labels or features, unknown layers (nearest names are offered), a loader that is
        empty or can be read only once, one class only.
    NotDeterministic
        Where the same samples give other features the second time.
    """
    watch = Watch(
        model,
        loader,
        task=task,
        layers=layers,
        head=head,
        num_classes=num_classes,
        ignore_index=ignore_index,
        device=device,
        pool=pool,
        measures=measures,
        split=split,
        progress=progress,
    )
    return watch(step=step)


class Watch:
    """The same probe along training: `watch(step=epoch)` observes now; `watch.seen` holds all steps.

    Takes the arguments of `observe` but for `step`. Layers, head and pooling are chosen at the first call
    and stay; determinism is checked then.
    """

    def __init__(
        self,
        model: nn.Module,
        loader: Iterable[Any] | Mapping[str, Iterable[Any]],
        *,
        task: str = "auto",
        layers: str | Sequence[str] | None = None,
        head: str | None = None,
        num_classes: int | None = None,
        ignore_index: Sequence[int] | int = IGNORED,
        device: str | torch.device | None = None,
        pool: str = "auto",
        measures: Sequence[str] | None = None,
        split: str = "train",
        progress: bool = True,
    ) -> None:
        if task not in TASKS:
            raise ValueError(f"task={task!r}: this version measures classification; task is one of {TASKS}.")
        if not isinstance(model, nn.Module):
            raise TypeError(f"model is a {type(model).__name__}; expected a torch.nn.Module.")
        self.model = model
        self.loaders = dict(loader) if isinstance(loader, Mapping) else {split: loader}
        if not self.loaders:
            raise ValueError("loader is an empty dict; pass at least one loader.")
        self.seen = Observation()
        self._wanted = chosen_measures(measures)
        self._by_name = measures is not None
        self._layers, self._head, self._pool, self._device = layers, head, pool, device
        self._num_classes, self._ignore = num_classes, ignored(ignore_index)
        self._progress = progress
        self._probe: Probe | None = None

    def __call__(self, step: int | float | None = None) -> Observation:
        """Observe every split now."""
        probe = self._probe or self._prepare()
        parts = [self._split(probe, name, loader, step) for name, loader in self.loaders.items()]
        now = Observation.merged(parts)
        now.notes = tuple(dict.fromkeys((*probe.notes, *now.notes)))
        self.seen = Observation.merged([self.seen, now])
        return now

    def _prepare(self) -> Probe:
        first = next(iter(self.loaders.values()))
        probe = Probe(
            self.model, _first_batch(first), layers=self._layers, head=self._head, device=self._device, pool=self._pool
        )
        for loader in self.loaders.values():
            probe.check_deterministic(loader)
        self._probe = probe
        if self._progress:
            console = Console(stderr=True, highlight=False, soft_wrap=True)
            for note in probe.notes:
                console.print(f"caltrop: {note}", markup=False)
        return probe

    def _split(self, probe: Probe, name: str, loader: Iterable[Any], step: int | float | None) -> Observation:
        reader = _SplitReader(probe, name, loader, self._wanted, self._by_name, self._num_classes, self._ignore)
        try:
            with _bar(name, loader, self._progress) as tick:
                return reader.read(step, tick)
        finally:
            reader.abandon()


class _SplitReader:
    """All layers of one split, read together."""

    def __init__(
        self,
        probe: Probe,
        split: str,
        loader: Iterable[Any],
        wanted: list[Measure],
        by_name: bool,
        num_classes: int | None,
        ignore: tuple[int, ...],
    ) -> None:
        self.probe, self.split, self.loader = probe, split, loader
        self.wanted, self.by_name, self.ignore = wanted, by_name, ignore
        self.head = probe.head
        self.num_classes = num_classes
        if num_classes is None and self.head is not None:
            self.num_classes = self.head.num_classes
        elif self.head is not None and num_classes != self.head.num_classes:
            raise ValueError(
                f"num_classes={num_classes}, but the head has {self.head.num_classes} rows; leave num_classes out, "
                "or name the head that belongs to these classes."
            )
        self.readings: dict[str, LayerReading] = {}
        self.left_out = 0
        self.range: tuple[int, int] | None = None
        self.present: set[int] = set()

    def read(self, step: int | float | None, tick: Any) -> Observation:
        for features, labels, places, predictions in self._batches(tick):
            if not self.readings:
                self._begin(features, len(labels))
            self._note_range(labels)
            for layer, rows in features.items():
                said = predictions if layer == self.probe.head_layer else None
                self.readings[layer].first(rows, labels, places, said)
        if self.range is None:
            raise ValueError(f"split '{self.split}' has no labelled samples; there is nothing to measure.")
        check_range(*self.range, self.num_classes, len(self.present))
        for reading in self.readings.values():
            reading.finish_first()
        self._replay(tick)
        seen = Observation.merged(self._evaluated(step))
        seen.notes = (f"{self.left_out} ignored labels left out of split '{self.split}'",) if self.left_out else ()
        return seen

    def abandon(self) -> None:
        """Free spools, also after an error."""
        for reading in self.readings.values():
            reading.abandon()

    def _begin(self, features: dict[str, Tensor], rows: int) -> None:
        batches = _length(self.loader)
        samples = None if batches is None else batches * rows
        self._check_memory(samples)
        source = Source(num_samples=samples, budget=SPOOL_BYTES // max(1, len(features)))
        for layer in features:
            self.readings[layer] = LayerReading(
                layer, self.wanted, source, num_classes=self.num_classes, by_name=self.by_name
            )

    def _check_memory(self, samples: int | None) -> None:
        # a stream that does not know its length may be a long one
        most = max(MOST_CLASSES, 100 * (MOST_CLASSES if samples is None else samples))
        if self.num_classes is not None and self.num_classes > most:
            raise ValueError(
                f"num_classes={self.num_classes}, but split '{self.split}' has far fewer samples; every class takes "
                "memory. Number the classes that occur 0, 1, 2, …, or pass their true number."
            )

    def _replay(self, tick: Any) -> None:
        again = {layer for layer, reading in self.readings.items() if reading.needs_replay}
        if not again:
            return
        for features, labels, _, predictions in self._batches(tick):
            for layer in again:
                said = predictions if layer == self.probe.head_layer else None
                self.readings[layer].second(features[layer], labels, said)

    def _batches(self, tick: Any) -> Iterator[tuple[dict[str, Tensor], Tensor, Tensor, Tensor | None]]:
        """Kept samples of every batch: features by layer, labels, places in the stream, the head's classes."""
        done, self.left_out = 0, 0
        for captured in self.probe.read(self.loader):
            yield from self._kept(captured, done)
            done += len(captured.labels)
            tick()

    def _kept(self, captured: Captured, done: int) -> Iterator[tuple[dict[str, Tensor], Tensor, Tensor, Tensor | None]]:
        labels = read_labels(captured.labels, self.ignore)
        places = torch.arange(done, done + len(labels.classes))
        features, predictions = captured.features, captured.predictions
        if bool(labels.kept.all()):
            if len(places):
                yield features, labels.classes, places, predictions
            return
        kept = labels.kept
        self.left_out += int((~kept).sum())
        if bool(kept.any()):
            chosen = {layer: rows[kept.to(rows.device)] for layer, rows in features.items()}
            said = None if predictions is None else predictions[kept.to(predictions.device)]
            yield chosen, labels.classes[kept], places[kept], said

    def _note_range(self, labels: Tensor) -> None:
        low, high = int(labels.min()), int(labels.max())
        self.range = (low, high) if self.range is None else (min(low, self.range[0]), max(high, self.range[1]))
        if self.num_classes is None:
            self.present.update(torch.unique(labels).tolist())
            refuse_identifiers(high, len(self.present))
        elif high >= self.num_classes:
            check_range(*self.range, self.num_classes, 0)

    def _evaluated(self, step: int | float | None) -> Iterator[Observation]:
        for layer, reading in self.readings.items():
            head = self.head if layer == self.probe.head_layer else None
            pooling = self.probe.poolings.get(layer, "vector")
            notes = () if pooling == "vector" else (pooling,)
            yield evaluate_context(reading.close(head), self.wanted, Tag(layer, self.split, step, "trained", "", notes))


def _first_batch(loader: Iterable[Any]) -> Any:
    with PrivateStream().playing():  # a shuffling loader draws from the caller's random numbers
        for batch in loader:
            return batch
    raise ValueError(
        "the loader is empty: there is nothing to measure. (A generator that was read before is empty too.)"
    )


def _length(loader: Iterable[Any]) -> int | None:
    """Batches in the loader, where it knows: a DataLoader over a stream has a length that raises."""
    try:
        return len(loader)  # type: ignore[arg-type]
    except TypeError:
        return None


@contextmanager
def _bar(split: str, loader: Iterable[Any], wanted: bool) -> Iterator[Any]:
    if not wanted or not sys.stderr.isatty():
        yield lambda: None
        return
    total = _length(loader)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"reading {split}", total=total)
        yield lambda: progress.advance(task)
