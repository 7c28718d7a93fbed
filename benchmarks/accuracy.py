"""NC1 of features that collapse, against float64 arithmetic on the same stored numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import caltrop
from caltrop.geometry import simplex_etf
from caltrop.stats import ClassAccumulator, ClassMoments, ResidualSpool, SecondLook, Seen, SpanMoments

SAMPLES, DIM, CLASSES, BATCH = 5000, 256, 10, 256
FORMATS = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def sweep(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All cells in one process: nothing is timed here."""
    return [cell(**one) for one in cells]


def cell(variability: float, offset: float, dtype: str) -> dict[str, Any]:
    """Relative errors of NC1 by each way, the value and the format's resolution, for one storage format.

    Class means are a simplex of unit norm; `variability` is NC1 before storing, `offset` the norm of a common shift.
    """
    features, labels = draw(variability, offset)
    stored = torch.from_numpy(features).to(FORMATS[dtype])
    classes = torch.from_numpy(labels)
    exact = reference(stored.double().numpy(), labels)
    names = ["within_class_variability"]
    row = caltrop.measure(stored, classes, num_classes=CLASSES, measures=names).rows[0]
    ways = {
        "two passes": row.value,
        "one pass": _one_pass(stored, classes),
        "residual spool": _spool(stored, classes),
        "raw moments": _raw(stored.float(), classes),
    }
    errors = {name: _error(value, exact) for name, value in ways.items()}
    return {
        "variability": variability,
        "offset": offset,
        "dtype": dtype,
        "reference": exact,
        "resolution": row.resolution,
        "errors": errors,
    }


def _error(value: float, exact: float) -> float | None:
    return abs(value / exact - 1) if exact > 0 else None


def draw(variability: float, offset: float, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Float64 features with that NC1, up to sampling."""
    generator = np.random.default_rng(seed)
    means = simplex_etf(CLASSES, DIM).double().numpy()
    means = means / np.linalg.norm(means, axis=1, keepdims=True)
    # tr(Σ_W Σ_B⁺)/K of isotropic noise s² about a unit simplex: s² (K−1) (K−1)/K
    spread = np.sqrt(variability * CLASSES / (CLASSES - 1) ** 2)
    shift = generator.standard_normal(DIM)
    labels = np.arange(SAMPLES) % CLASSES
    noise = spread * generator.standard_normal((SAMPLES, DIM))
    return means[labels] + noise + offset * shift / np.linalg.norm(shift), labels


def reference(features: np.ndarray, labels: np.ndarray) -> float:
    """NC1 with class means and residuals in extended precision, where the machine has one."""
    wide = features.astype(np.longdouble)
    means = np.stack([wide[labels == k].mean(0) for k in range(CLASSES)])
    centred = (wide - means[labels]).astype(np.float64)
    rows = (means - means.mean(0)).astype(np.float64)
    _, values, right = np.linalg.svd(rows, full_matrices=False)
    kept = values > 1e-6 * values[0]
    along = np.square(centred @ right[kept].T).sum(0)
    return float((along / np.square(values[kept])).sum() / len(features))


def _one_pass(features: torch.Tensor, labels: torch.Tensor) -> float:
    accumulator = ClassAccumulator(CLASSES, DIM, scatter=True)
    for start in range(0, SAMPLES, BATCH):
        accumulator.update(features[start : start + BATCH], labels[start : start + BATCH])
    return _nc1(SpanMoments.of(accumulator.close()))


def _spool(features: torch.Tensor, labels: torch.Tensor) -> float:
    accumulator = ClassAccumulator(CLASSES, DIM)
    # half-precision features are spooled as they are, as `observe` does
    is_half = features.dtype in (torch.float16, torch.bfloat16)
    with ResidualSpool(DIM, features.dtype) as spool:
        for start in range(0, SAMPLES, BATCH):
            batch = slice(start, start + BATCH)
            for residuals, where in accumulator.residuals(features[batch], labels[batch]):
                if not is_half:
                    spool.write(residuals, where)
            if is_half:
                spool.write(features[batch], labels[batch])
        return _nc1(_look(accumulator, spool, is_half).span)


def _look(accumulator: ClassAccumulator, spool: ResidualSpool, is_half: bool) -> Seen:
    moments: ClassMoments = accumulator.close()
    assert accumulator.anchors is not None
    dtype = torch.float64 if moments.storage == torch.float64 else torch.float32
    origin = None if is_half else accumulator.anchors.double()
    look = SecondLook(moments, origin=origin, dtype=dtype, blocks=False)
    for rows, where, _ in spool.read():
        look.update(rows, where)
    return look.close()


def _raw(features: torch.Tensor, labels: torch.Tensor) -> float:
    """What raw float32 second moments would say: the reason why nothing here uses them."""
    hot = torch.nn.functional.one_hot(labels, CLASSES).float()
    counts = hot.sum(0)
    means = (hot.T @ features) / counts[:, None]
    within = features.T @ features / len(features) - (means * (counts / len(features))[:, None]).T @ means
    rows = (means - means.mean(0)).double()
    _, values, right = torch.linalg.svd(rows, full_matrices=False)
    axes = right[: CLASSES - 1].T
    return float(((axes * (within.double() @ axes)).sum(0) / values[: CLASSES - 1].square()).sum())


def _nc1(span: SpanMoments) -> float:
    return float(caltrop.measures.get("within_class_variability")(span))
