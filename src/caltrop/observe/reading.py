"""One layer being read: a first look, a second one if something needs it, and the statistics they leave."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from caltrop.measures import Measure
from caltrop.observe.context import Context, check_classes
from caltrop.stats import (
    CentreDecisions,
    ClassAccumulator,
    ClassMoments,
    Head,
    HeadDecisions,
    Look,
    MeanAccumulator,
    ResidualSpool,
    SecondLook,
    SpanMoments,
    SpreadMoments,
    TotalSpectrum,
    Way,
    choose_way,
)
from caltrop.stats.accumulator import SCATTER_DIM
from caltrop.stats.ways import SPOOL_BYTES

# A dim x dim scatter asked for by name: 2 GiB at this width.
MOST_SCATTER_DIM = 16384


@dataclass(frozen=True)
class Source:
    """Where samples come from: whether they lie in memory, about how many, and what may be spooled of them."""

    in_hand: bool = False
    num_samples: int | None = None
    budget: int = SPOOL_BYTES


class LayerReading:
    """Reads one layer in the way the rule chooses for what the wanted measures need.

    Feed `first` with every batch; where `needs_replay`, feed `second` with every batch again; then `close`.
    `num_classes` None means: as many as the labels turn out to name.
    """

    def __init__(
        self,
        layer: str,
        wanted: list[Measure],
        source: Source,
        *,
        num_classes: int | None = None,
        by_name: bool = False,
    ) -> None:
        self.layer = layer
        self._source = source
        self._needs = {kind for measure in wanted for kind in measure.needs}
        self._by_name = by_name
        self._num_classes = num_classes
        self._way: Way | None = None
        self._means: MeanAccumulator | None = None
        self._anchored: ClassAccumulator | None = None
        self._spool: ResidualSpool | None = None
        self._second: SecondLook | None = None
        self._spools_features = False
        self._moments: ClassMoments | None = None

    @property
    def way(self) -> Way | None:
        """The way chosen, known after the first batch."""
        return self._way

    def first(
        self, features: Tensor, labels: Tensor, positions: Tensor | None = None, predictions: Tensor | None = None
    ) -> None:
        """First look at a batch [samples, dim]."""
        if self._way is None:
            self._begin(features)
        highest = int(labels.max()) + 1 if self._num_classes is None and len(labels) else 0
        if self._means is not None:
            self._grow(self._means, highest)
            self._means.update(features, labels, positions)
            return
        assert self._anchored is not None
        self._grow(self._anchored, highest)
        done = 0
        for residuals, where in self._anchored.residuals(features, labels, positions):
            if self._spool is not None:
                if self._spools_features:
                    residuals = features[done : done + len(where)]
                said = None if predictions is None else predictions[done : done + len(where)]
                self._spool.write(residuals, where, said)
            done += len(where)

    def finish_first(self) -> None:
        """Close the first look; a spool is read at once."""
        if self._means is not None:
            self._means.trim()
            counts, means = self._means.means()
            storage = self._means.storage or torch.float32
            self._moments = ClassMoments(counts, means, torch.zeros_like(counts), None, storage)
            self._means = None  # its sums are as large as the means
            self._check_classes()
            self._second = self._second_look(None)
        elif self._anchored is not None:
            self._moments = self._anchored.close()
            self._check_classes()
            if self._spool is not None:
                assert self._anchored.anchors is not None
                origin = None if self._spools_features else self._anchored.anchors.cpu().double()
                self._second = self._second_look(origin)
                for rows, labels, predictions in self._spool.read():
                    self._second.update(rows, labels, predictions)
                self._spool.close()

    @property
    def needs_replay(self) -> bool:
        """Whether every batch has to be shown again, to `second`."""
        return self._way is Way.TWO_PASSES

    @property
    def moments(self) -> ClassMoments | None:
        """Class moments of the first look; spreads are still 0 where a replay is due."""
        return self._moments

    def second(self, features: Tensor, labels: Tensor, predictions: Tensor | None = None) -> None:
        """Second look at a batch."""
        assert self._second is not None
        self._second.update(features, labels, predictions)

    def close(self, head: Head | None) -> Context:
        """The statistics of this layer."""
        assert self._moments is not None
        if self._second is not None:
            context = Context.of_seen(self._second.close(), self._moments, head)
        else:
            context = Context.of_statistics([self._moments] if head is None else [self._moments, head])
        context.way = (self._way_note(),)
        return context

    def abandon(self) -> None:
        """Free what an interrupted reading holds."""
        if self._spool is not None:
            self._spool.close()

    def _begin(self, features: Tensor) -> None:
        dim, storage = features.shape[1], features.dtype
        if not storage.is_floating_point:
            raise TypeError(
                f"features of layer '{self.layer}' are {storage}; pass floating features, such as x.float()."
            )
        look = self._look(dim)
        source = self._source
        self._way = choose_way(
            look, dim=dim, num_samples=source.num_samples, in_hand=source.in_hand, storage=storage, budget=source.budget
        )
        self._scatter = look.scatter
        classes = self._num_classes or 0
        if self._way is Way.TWO_PASSES:
            self._means = MeanAccumulator(classes, dim, layer=self.layer)
            return
        keep = self._way is Way.ONE_PASS and (look.scatter or look.span)
        self._anchored = ClassAccumulator(classes, dim, scatter=keep, layer=self.layer)
        if self._way is Way.SPOOL:
            # Narrow features take as many bits as their residuals would, and lose none of them.
            self._spools_features = storage not in (torch.float32, torch.float64)
            self._spool = ResidualSpool(dim, storage)

    def _look(self, dim: int) -> Look:
        spectrum = TotalSpectrum in self._needs
        if spectrum and self._by_name and dim > MOST_SCATTER_DIM:
            raise ValueError(
                f"layer '{self.layer}' has {dim} dimensions; effective_rank and stable_rank need a dim x dim scatter, "
                f"kept up to {MOST_SCATTER_DIM}. Pool the layer, or leave these measures out."
            )
        scatter = spectrum and (self._by_name or dim <= SCATTER_DIM)
        decisions = bool(self._needs & {CentreDecisions, HeadDecisions})
        return Look(
            spread=SpreadMoments in self._needs, span=SpanMoments in self._needs, decisions=decisions, scatter=scatter
        )

    def _second_look(self, origin: Tensor | None) -> SecondLook:
        assert self._moments is not None
        storage = self._moments.storage
        dtype = torch.float64 if storage == torch.float64 else torch.float32
        return SecondLook(self._moments, origin=origin, dtype=dtype, scatter=self._scatter)

    def _check_classes(self) -> None:
        assert self._moments is not None
        check_classes(tuple(self._moments.classes.tolist()), self.layer)

    def _way_note(self) -> str:
        if self._way is Way.SPOOL and self._spool is not None:
            what = "feature spool" if self._spools_features else self._way
            return f"{what} ({str(self._spool.dtype).removeprefix('torch.')})"
        return str(self._way)

    def _grow(self, accumulator: MeanAccumulator | ClassAccumulator, num_classes: int) -> None:
        if num_classes:
            accumulator.grow(num_classes)
