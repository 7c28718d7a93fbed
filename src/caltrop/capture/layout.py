"""Which axis of a captured tensor holds the features, and which the samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules import pooling as pools
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm

from caltrop.capture.layers import Layer
from caltrop.capture.trace import Call, Trace

Side = Literal["first", "last"]

_POOLS = (
    pools._MaxPoolNd,
    pools._AvgPoolNd,
    pools._AdaptiveAvgPoolNd,
    pools._AdaptiveMaxPoolNd,
    nn.Upsample,
    nn.PixelShuffle,
)
_SEQUENCES = (nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)


@dataclass(frozen=True)
class Layout:
    """How to read a tensor as [samples, *positions, dim].

    `side`: features right behind the samples (maps of convolutions) or at the end (tokens).
    `time_first`: tokens [tokens, samples, dim], as torch's recurrent layers prefer.
    """

    side: Side
    time_first: bool = False

    def arrange(self, tensor: Tensor) -> Tensor:
        """A view of `tensor` as [samples, *positions, dim]; [samples] counts as one feature each."""
        if tensor.ndim == 1:
            return tensor[:, None]
        if self.time_first:
            tensor = tensor.transpose(0, 1)
        return tensor.movedim(1, -1) if self.side == "first" and tensor.ndim > 2 else tensor

    def positions(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Sizes of the axes that are neither samples nor features."""
        return tuple(self.arrange(torch.empty(shape, device="meta")).shape[1:-1])


def layout_of(layer: Layer, trace: Trace, samples: int) -> Layout:
    """Read off the modules around the tensor: whose output it is, and where that module keeps features."""
    seen = layer.seen
    assert seen is not None
    if len(seen.shape) < 3:
        return Layout("last")
    side = _side(layer, trace, seen.shape)
    if side == "first" or len(seen.shape) != 3:
        return Layout(side)
    rows, columns = seen.shape[:2]
    if rows == columns == samples:
        # only the modules can tell [tokens, samples, dim] from [samples, tokens, dim] here
        return Layout("last", _batch_second(layer, trace))
    return Layout("last", rows != samples and columns == samples)


def _side(layer: Layer, trace: Trace, shape: tuple[int, ...]) -> Side:
    evidence = _evidence(layer, trace)
    if evidence is None:
        return "last" if len(shape) == 3 else "first"
    usual, width = evidence
    fits_first, fits_last = shape[1] == width, shape[-1] == width
    if fits_first != fits_last:
        return "first" if fits_first else "last"
    if layer.call.children and any(isinstance(call.module, _ConvNd) for call in layer.call.inside()):
        # as many channels as columns: a squeeze-and-excite layer at the end of a block must not decide
        return "first" if len(shape) > 3 else usual
    return usual


def _evidence(layer: Layer, trace: Trace) -> tuple[Side, int | None] | None:
    """The usual side and the width of features at the last module that knows, up to the tensor's birth."""
    call = layer.call
    if layer.is_input and layer.seen is not None:
        takers = (c for c in (call, *call.inside()) if c.received is not None)
        for taker in takers:
            known = _known(taker.module, entering=True)
            if known is not None and taker.received is not None and taker.received.node is layer.seen.node:
                return known
    before = [c for c in trace.calls if c.end and (c.end <= layer.moment)]
    for earlier in sorted(before, key=lambda c: c.end, reverse=True):
        known = _known(earlier.module, entering=False)
        if known is None:
            continue
        if known[1] is None:
            wider = next((k for k in _widths(before, earlier) if k is not None), None)
            return known[0], wider
        return known
    return None


def _widths(before: list[Call], pool: Call) -> list[int | None]:
    earlier = sorted((c for c in before if c.end < pool.end), key=lambda c: c.end, reverse=True)
    return [known[1] for c in earlier if (known := _known(c.module, entering=False)) is not None]


def _known(module: nn.Module, *, entering: bool) -> tuple[Side, int | None] | None:
    if isinstance(module, _ConvNd):
        return "first", module.in_channels if entering else module.out_channels
    if isinstance(module, _BatchNorm | _InstanceNorm):
        return "first", module.num_features
    if isinstance(module, nn.GroupNorm):
        return "first", module.num_channels
    if isinstance(module, _POOLS):
        return "first", None
    if isinstance(module, nn.Linear):
        return "last", module.in_features if entering else module.out_features
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        return ("last", module.normalized_shape[0]) if len(module.normalized_shape) == 1 else None
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return None if entering else ("last", module.embedding_dim)
    if isinstance(module, nn.MultiheadAttention):
        return "last", module.embed_dim
    if isinstance(module, nn.RNNBase):
        out = (module.proj_size or module.hidden_size) * (2 if module.bidirectional else 1)
        return "last", module.input_size if entering else out
    return None


def _batch_second(layer: Layer, trace: Trace) -> bool:
    around = [c for c in trace.calls if c.end and c.start <= layer.moment]
    for call in reversed([*around, *layer.call.inside()]):
        module = call.module
        if isinstance(module, nn.MultiheadAttention | nn.RNNBase):
            return not module.batch_first
    return False
