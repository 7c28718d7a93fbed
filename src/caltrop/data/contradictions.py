"""Equal inputs with different labels: where they exist, exact collapse is impossible."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from caltrop.linalg import tensor_of


class Contradictions(NamedTuple):
    """`share` of the samples whose input also occurs with another label, and the `best_accuracy` possible."""

    share: float
    best_accuracy: float


def contradictions(
    inputs: Shaped[Tensor, "samples ..."] | Shaped[np.ndarray, "samples ..."],
    labels: Shaped[Tensor, "labels"] | Shaped[np.ndarray, "labels"],
) -> Contradictions:
    """How far labels contradict each other on identical inputs.

    A deterministic network gives equal inputs equal features, so an input with labels k and l would, at exact
    collapse, force the means of k and l together. `share` is the number of samples whose input carries more than
    one label, over N, in [0, 1]; `best_accuracy` that of the majority label of every distinct input, in (0, 1].
    Inputs count as identical when every number is; -0 equals 0.

    Raises ValueError for lengths that differ, or no samples.
    """
    rows, given = tensor_of(inputs).detach().cpu(), tensor_of(labels).detach().cpu()
    if len(rows) != len(given) or len(rows) == 0:
        raise ValueError(
            f"{len(rows)} inputs come with {len(given)} labels; every input needs exactly one label, and one at least."
        )
    flat = rows.reshape(len(rows), -1)
    flat = torch.where(flat == 0, torch.zeros_like(flat), flat).contiguous()
    # bytes of a whole row as one key: sorting them costs N log N, comparing all pairs would cost N²
    keys = flat.view(torch.uint8).numpy()
    _, inverse = np.unique(
        np.ascontiguousarray(keys).view([("row", np.void, keys.shape[1])]).ravel(), return_inverse=True
    )
    pairs, counts = np.unique(np.stack([inverse, given.numpy()], axis=1), axis=0, return_counts=True)
    distinct = pairs[:, 0].astype(np.int64)
    several = np.bincount(distinct) > 1
    largest = np.zeros(int(distinct.max()) + 1, dtype=np.int64)
    np.maximum.at(largest, distinct, counts)
    contradicted = int(counts[several[distinct]].sum())
    return Contradictions(contradicted / len(rows), int(largest.sum()) / len(rows))
