"""A spool of residuals, for features that should not be computed twice.

Residuals to a class anchor are small and keep their relative precision in few bits; features themselves
do not, which is why no feature is ever rounded to be spooled. Half-precision features need no rounding: they
may be spooled as they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

# Up to here the spool lies in memory, then in a temporary file that has no name and cannot be left behind.
MEMORY_BYTES = 2**26
CHUNK_ROWS = 4096
CHUNK_BYTES = 2**24


class ResidualSpool:
    """Rows [samples, dim] with labels and head decisions, written once in order, read many times.

    `dtype`: what the rows are stored in; wider rows are rounded to it.
    """

    def __init__(self, dim: int, dtype: torch.dtype) -> None:
        self.dim, self.dtype = dim, dtype
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115
        self._labels: list[Tensor] = []
        self._predictions: list[Tensor] = []

    def write(
        self,
        residuals: Float[Tensor, "n d"],
        labels: Int[Tensor, "n"],
        predictions: Int[Tensor, "n"] | None = None,
    ) -> None:
        """Append a block."""
        rows = residuals.to(device="cpu", dtype=self.dtype).contiguous()
        self._file.write(rows.view(torch.uint8).numpy().tobytes())
        self._labels.append(labels.cpu().int())
        if predictions is not None:
            self._predictions.append(predictions.cpu().int())

    def read(self) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """All blocks again: residuals, labels, predictions or None."""
        labels = torch.cat(self._labels).long() if self._labels else torch.zeros(0, dtype=torch.long)
        predictions = torch.cat(self._predictions).long() if self._predictions else None
        self._file.seek(0)
        width = self.dim * self.dtype.itemsize
        step = max(1, min(CHUNK_ROWS, CHUNK_BYTES // width))
        for start in range(0, len(labels), step):
            stop = min(start + step, len(labels))
            raw = np.frombuffer(bytearray(self._file.read((stop - start) * width)), dtype=np.uint8)
            rows = torch.from_numpy(raw).view(self.dtype).reshape(stop - start, self.dim)
            yield rows, labels[start:stop], None if predictions is None else predictions[start:stop]

    def close(self) -> None:
        """Free the memory or the disk."""
        self._file.close()

    def __enter__(self) -> ResidualSpool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
