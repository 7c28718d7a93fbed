"""Everything known of one layer, by type of statistic; what can be derived is derived once, on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from caltrop.stats import (
    CentreDecisions,
    ClassMoments,
    Head,
    HeadDecisions,
    Pairs,
    Seen,
    Span,
    SpanMoments,
    SpreadMoments,
    TotalSpectrum,
)

# Shards needed before their differences say anything about sampling noise.
FEWEST_SHARDS = 5
MOST_BLOCKS = 20

MISSING = {
    Head: "needs weights= (the head's weights [classes, dim]); with a model, head= and the layer that feeds it",
    HeadDecisions: "needs weights= (the head's weights), and the features themselves rather than moments",
    CentreDecisions: "needs the features themselves: nearest-centre decisions are taken sample by sample",
    SpreadMoments: "needs class moments",
    SpanMoments: "needs the scatter inside the span of the means: keep it with ClassMoments.of(..., scatter=True)",
    TotalSpectrum: "needs the dim x dim scatter, which is kept by default up to 512 dimensions; "
    "ask for the measure by name to keep it anyway",
    ClassMoments: "needs class moments",
}


@dataclass
class Context:
    """Statistics of one layer, restricted to the classes that have samples.

    `classes` are the labels of those classes, `absent` the others; `blocks` are disjoint parts of `span`
    for the jackknife; `way` says how the features were read.
    """

    known: dict[type, Any]
    classes: tuple[int, ...]
    absent: tuple[int, ...] = ()
    blocks: tuple[SpreadMoments, ...] = ()
    sample: tuple[Tensor, Tensor] | None = None
    notes: list[str] = field(default_factory=list)
    way: tuple[str, ...] = ()
    _noise: Context | None = None

    @classmethod
    def of_seen(cls, seen: Seen, first: ClassMoments, head: Head | None) -> Context:
        """From a second look; `first` has all classes, the absent ones included."""
        known: dict[type, Any] = {ClassMoments: seen.moments, SpanMoments: seen.span, CentreDecisions: seen.centre}
        if seen.head is not None:
            known[HeadDecisions] = seen.head
        context = cls(known, *_labels(first), blocks=seen.blocks, sample=seen.sample)
        context._take_head(head, first)
        return context

    @classmethod
    def of_statistics(cls, statistics: Iterable[Any]) -> Context:
        """From any statistics: several of one mergeable type are shards, and shards are jackknife blocks.

        Raises
        ------
        ValueError
            Where there are no class moments, two heads, or something that is no statistic.
        """
        kinds: dict[type, list[Any]] = {}
        for statistic in statistics:
            kinds.setdefault(type(statistic), []).append(statistic)
        unknown = [kind.__name__ for kind in kinds if kind not in MISSING]
        if unknown:
            raise TypeError(f"evaluate takes statistics such as ClassMoments and Head, not {', '.join(unknown)}.")
        shards: list[ClassMoments] = kinds.pop(ClassMoments, [])
        if not shards:
            raise ValueError("evaluate needs at least one ClassMoments: without class means nothing can be measured.")
        heads = kinds.pop(Head, [])
        if len(heads) > 1:
            raise ValueError(f"evaluate was given {len(heads)} heads; a layer feeds one.")
        whole = _merged(shards)
        context = cls({kind: _merged(parts) for kind, parts in kinds.items()}, *_labels(whole))
        context.known[ClassMoments] = whole.present
        context._take_head(heads[0] if heads else None, whole)
        context._take_shards(shards, whole)
        return context

    def get(self, kind: type) -> Any:
        """The statistic of that type, derived if possible, or None."""
        if kind not in self.known:
            self.known[kind] = self._derive(kind)
        return self.known[kind]

    def missing(self, needs: tuple[type, ...]) -> str | None:
        """Why a measure with these needs cannot be evaluated here, or None if it can."""
        for kind in needs:
            if self.get(kind) is None:
                return MISSING.get(kind, f"needs {kind.__name__}")
        return None

    def replicates(self) -> Iterator[Context]:
        """This layer with one block left out, for each block; one at a time, as each is as large as the whole."""
        whole: SpreadMoments = self.get(SpreadMoments)
        for block in self.blocks:
            yield Context({type(whole): whole.without(block)}, self.classes)

    def noise(self) -> Context:
        """The same class means with nothing around them but what their storage format rounds; made once."""
        if self._noise is None:
            spread: SpreadMoments = self.get(SpreadMoments)
            known: dict[type, Any] = {
                SpanMoments: SpanMoments.of_format(self.moments, spread.span, spread.resolved_rank)
            }
            if Pairs in self.known:  # distances are the same
                known[Pairs] = self.known[Pairs]
            self._noise = Context(known, self.classes)
        return self._noise

    @property
    def num_classes(self) -> int:
        """K, of the classes present."""
        return len(self.classes)

    @property
    def moments(self) -> ClassMoments:
        """The class moments, which are always there."""
        found: ClassMoments = self.known[ClassMoments]
        return found

    def _derive(self, kind: type) -> Any:
        moments: ClassMoments | None = self.known.get(ClassMoments)
        if kind is SpreadMoments:
            found = self.get(SpanMoments)
            return found if found is not None or moments is None else SpreadMoments.of(moments)
        if kind is SpanMoments and moments is not None and moments.scatter is not None:
            return SpanMoments.of(moments)
        if kind is TotalSpectrum and moments is not None and moments.scatter is not None:
            return TotalSpectrum.of(moments)
        if kind is Pairs:
            spread = self.known.get(SpanMoments) or self.known.get(SpreadMoments)
            if spread is not None:
                return Pairs.of(spread.means, spread.variances, spread.span.scale)
            if moments is not None:
                scale = float(torch.linalg.vector_norm(moments.means, dim=1).max())
                return Pairs.of(moments.centred_means, moments.variances, scale)
        return None

    def _take_head(self, head: Head | None, whole: ClassMoments) -> None:
        if head is None:
            return
        if head.weights.shape[1] != whole.dim:
            raise ValueError(
                f"the head's weights have shape {list(head.weights.shape)} but features have {whole.dim} dimensions; "
                "pass the weights [classes, dim] of the layer that consumes these features."
            )
        if head.num_classes != whole.num_classes:
            raise ValueError(
                f"the head has {head.num_classes} rows but num_classes is {whole.num_classes}; "
                "pass num_classes equal to the head's rows."
            )
        self.known[Head] = head.select(whole.classes)
        if self.absent:
            self.notes.append(f"head rows of absent classes left out: {listed(self.absent)}")

    def _take_shards(self, shards: list[ClassMoments], whole: ClassMoments) -> None:
        if len(shards) < FEWEST_SHARDS or SpanMoments in self.known:
            return
        kind = SpreadMoments if whole.scatter is None else SpanMoments
        span = Span.of(whole.present)
        # thousands of shards say no more than a few groups of them, dealt in turn
        groups = [_merged(shards[first::MOST_BLOCKS]) for first in range(min(len(shards), MOST_BLOCKS))]
        parts = [group.select(whole.classes) for group in groups]
        self.known[kind] = kind.of(whole.present, span)
        self.blocks = tuple(kind.of(part, span, whole.present.means) for part in parts)
        self.notes.append(f"half-widths from {len(shards)} shards as given")


def check_classes(classes: tuple[int, ...], layer: str) -> None:
    """Refuse fewer than two classes with samples."""
    if len(classes) < 2:
        held = f"only class {classes[0]} has samples" if classes else "no class has samples"
        raise ValueError(f"{held} at layer '{layer}'; collapse is measured between classes, so pass at least two.")


def _labels(moments: ClassMoments) -> tuple[tuple[int, ...], tuple[int, ...]]:
    present = tuple(moments.classes.tolist())
    return present, tuple(sorted(set(range(moments.num_classes)) - set(present)))


def _merged(parts: list[Any]) -> Any:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.merge(part)
    return whole


def listed(classes: tuple[int, ...], most: int = 10) -> str:
    """Labels for a sentence; long lists are cut and counted."""
    shown = ", ".join(map(str, classes[:most]))
    return shown if len(classes) <= most else f"{shown}, … ({len(classes)} in all)"
