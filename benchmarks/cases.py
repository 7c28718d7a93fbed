"""What is measured: sizes, schemes, rounds, and what is left out with its reason."""

from __future__ import annotations

from dataclasses import dataclass

MEASURES = (
    "within_class_variability",
    "variability_ratio",
    "class_distance_normalized_variance",
    "simplex_distance",
    "self_duality_gap",
    "nearest_centre_disagreement",
)
GIB = 2**30
# A feature file larger than this is not written; no textbook matrix larger than this is formed.
MOST_FILE = 4 * GIB
MOST_MATRIX = 2 * GIB


@dataclass(frozen=True)
class Case:
    """N samples of d features in K classes; `rounds` of the fast schemes, `slow_rounds` of the slow ones."""

    samples: int
    dim: int
    classes: int
    rounds: int = 5
    slow_rounds: int = 1

    @property
    def name(self) -> str:
        """Such as 10000×2048, K=100."""
        return f"{self.samples}×{self.dim}, K={self.classes}"

    @property
    def width(self) -> int:
        """r, the most dimensions that centred class means span."""
        return min(self.classes - 1, self.dim)

    @property
    def batch(self) -> int:
        """Samples per streamed batch: 512, fewer where that exceeds 32 MiB of float32."""
        return max(1, min(512, 2**23 // self.dim))

    @property
    def feature_bytes(self) -> int:
        """Bytes of all features in float32."""
        return 4 * self.samples * self.dim


FULL = (
    Case(50_000, 512, 10, rounds=7, slow_rounds=3),
    Case(10_000, 2048, 100, rounds=5, slow_rounds=2),
    Case(50_000, 2048, 100, rounds=2),
    Case(4_000, 4096, 1000, rounds=3),
    Case(20_000, 1024, 30_000, rounds=1),
    Case(5_000, 100_000, 10, rounds=3),
)
# The same code runs on this once before it is timed: libraries initialise themselves on first use.
WARM = Case(240, 24, 4)
SMOKE = (Case(2_000, 256, 10, rounds=1),)

# scheme -> what it is; the first four are caltrop's own
OURS = {
    "two passes": "class means, then everything in their span; the file is read twice",
    "residual spool": "one read of the file; residuals are spooled and looked at again",
    "one pass": "one read of the file with the d×d scatter; no nearest-centre decisions",
    "in hand": "caltrop.measure on features in memory, with half-widths, resolutions and per-class values",
}
VARIANTS = {
    "two passes, half-widths": "two passes with the jackknife half-widths of the three variabilities",
    "in hand, every measure": "caltrop.measure(features, labels, weights=, bias=), nothing else said",
}
TEXTBOOK = {
    "stored features": "all features as one array, a loop over classes, float64 d×d covariances, SciPy's pinv",
    "stored features, torch": "the same with torch.linalg.pinv(hermitian=True), the fastest ready-made pseudo-inverse",
    "stored features, NumPy": "the same with NumPy's pinv and its fixed cutoff, as notebooks have it",
    "streamed textbook": "float32 sums by one-hot products, float32 d×d covariance, torch.linalg.pinv; read twice",
    "outer products": "one float64 outer product per sample, extrapolated from a few; means and covariance only",
}
# the textbook's, but for the fastest of them, are repeated less often where they take long
SLOW = ("stored features", "stored features, NumPy", "streamed textbook", "outer products")
IN_HAND = ("in hand", "in hand, every measure")
SCHEMES = {**OURS, **VARIANTS, **TEXTBOOK}


def legacy_samples(case: Case) -> int:
    """How many samples the outer products are timed on: fewer where each costs more."""
    return min(case.samples, 300 if case.dim <= 512 else 20)


def left_out(case: Case, scheme: str) -> str | None:
    """Why this scheme is not run at this size, or None if it is."""
    matrix = 8 * case.dim**2
    needs_matrix = scheme in TEXTBOOK or scheme == "one pass"
    if needs_matrix and matrix > MOST_MATRIX:
        return f"a float64 {case.dim}×{case.dim} matrix takes {matrix / GIB:.0f} GiB"
    if scheme in ("stored features", "stored features, NumPy", "streamed textbook") and case.dim > 2048:
        return f"the singular value decomposition of a {case.dim}×{case.dim} matrix takes minutes"
    if scheme in ("stored features", "stored features, NumPy") and case.samples * case.dim > 5e7:
        return "would repeat the pseudo-inverse of the 10000-sample size; the torch variant is run instead"
    if case.classes > 1000 and scheme not in ("two passes", "in hand", "stored features, torch"):
        return "takes minutes, and says nothing that 1000 classes do not"
    if scheme in VARIANTS and case.samples * case.dim > 5e7 and case.classes < 1000:
        return "the variants are run at the smaller sizes"
    return None
