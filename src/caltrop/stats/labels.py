"""Labels as people have them: one rule for what is a class, what is ignored, and what is a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from caltrop.linalg import tensor_of

IGNORED = (-1, -100)
# Beyond this many classes, labels with large gaps are refused before memory is asked for them.
MOST_CLASSES = 1_000_000


@dataclass(frozen=True)
class Labels:
    """One batch of labels, read: `classes` [samples] as int64, and `kept` [samples], False where ignored."""

    classes: Int[Tensor, "samples"]
    kept: Bool[Tensor, "samples"]


def read_labels(labels: object, ignore_index: Sequence[int] = IGNORED) -> Labels:
    """Integers of any width [samples] or [samples, 1], or one-hot rows [samples, classes].

    Raises
    ------
    TypeError
        For floating labels that are not whole numbers (regression targets), and for anything not numeric.
    ValueError
        For soft labels, for rows that are not one-hot, and for negative labels that are not ignored.
    """
    values = _tensor(labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    classes = _from_rows(values) if values.ndim == 2 else _from_values(values)
    ignored = torch.isin(classes, torch.tensor(list(ignore_index), dtype=torch.long))
    negative = classes[(classes < 0) & ~ignored]
    if len(negative):
        raise ValueError(
            f"labels contain {int(negative[0])}, which is negative and not ignored; classes are 0, 1, 2, …, "
            f"and ignore_index={tuple(ignore_index)} names the labels to leave out."
        )
    return Labels(classes, ~ignored)


def check_range(lowest: int, highest: int, num_classes: int | None, present: int) -> int:
    """The number of classes, from the labels seen in all batches: `num_classes`, or the largest label + 1.

    Raises
    ------
    ValueError
        Where a label does not fit `num_classes`, or where labels are exactly 1..K and nothing says that
        class 0 exists.
    """
    if num_classes is not None:
        if highest >= num_classes:
            raise ValueError(
                f"labels span [{lowest}, {highest}], but num_classes={num_classes} allows only "
                f"0..{num_classes - 1}. Relabel the data, or pass the true number of classes."
            )
        return num_classes
    refuse_identifiers(highest, present)
    if lowest == 1 and highest == present:
        raise ValueError(
            f"labels are exactly 1..{highest}, so they probably count from 1; classes count from 0. "
            "Subtract 1, or pass num_classes if class 0 exists and is absent here."
        )
    return highest + 1


def refuse_identifiers(highest: int, present: int) -> None:
    """Refuse labels that number something else than classes, before memory is asked for all of them.

    Raises
    ------
    ValueError
        Beyond a million classes of which fewer than one in a hundred occurs.
    """
    if highest + 1 > MOST_CLASSES and highest + 1 > 100 * present:
        raise ValueError(
            f"labels go up to {highest}, but only {present} different ones occur; are these identifiers? "
            "Number the classes 0, 1, 2, …, or pass num_classes if there really are so many."
        )


def _tensor(labels: object) -> Tensor:
    try:
        values = tensor_of(labels)
    except TypeError as error:
        raise TypeError(
            f"labels are of type {np.asarray(labels).dtype}, which is no number; pass integer class labels [samples]."
        ) from error
    if values.ndim not in (1, 2):
        raise ValueError(
            f"labels have shape {list(values.shape)}; expected [samples], [samples, 1], or one-hot [samples, classes]."
        )
    return values.detach().cpu()


def _from_values(values: Tensor) -> Tensor:
    if values.dtype.is_complex:
        raise TypeError("labels are complex numbers; pass integer class labels.")
    if not values.dtype.is_floating_point:
        return values.long()
    bad = ~torch.isfinite(values)
    if bool(bad.any()):
        place = int(bad.nonzero()[0])
        raise ValueError(f"label {place} is {float(values[place])}; every sample needs a class, or an ignore_index.")
    if not bool((values == values.round()).all()):
        place = int((values != values.round()).nonzero()[0])
        raise TypeError(
            f"label {place} is {float(values[place]):g}, not a whole number; classes are 0, 1, 2, …. "
            "Floating targets mean regression, which needs other measures than class labels do."
        )
    return values.long()


def _from_rows(rows: Tensor) -> Tensor:
    numbers = rows.double()
    if not bool(torch.isfinite(numbers).all()):
        place = int((~torch.isfinite(numbers)).any(1).nonzero()[0])
        raise ValueError(f"label row {place} has a value that is not finite; expected one-hot rows.")
    is_hot = ((numbers == 0) | (numbers == 1)).all(1) & (numbers.sum(1) == 1)
    if not bool(is_hot.all()):
        place = int((~is_hot).nonzero()[0])
        soft = bool((numbers >= 0).all()) and abs(float(numbers[place].sum()) - 1) < 1e-3
        what = "soft labels" if soft else "neither class indices nor one-hot rows"
        raise ValueError(
            f"labels of shape {list(rows.shape)} are {what} (row {place}: {_short(numbers[place])}); collapse is "
            "measured between classes, so every sample needs exactly one. Pass the hard labels, "
            "for example labels.argmax(1)."
        )
    return numbers.argmax(1)


def _short(row: Tensor) -> str:
    shown = ", ".join(f"{float(value):g}" for value in row[:4])
    return f"[{shown}{', …' if len(row) > 4 else ''}]"
