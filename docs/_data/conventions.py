"""The map as data: which of our measures equals which number of which public code, and by what relation.

One fact, one place: `docs/map.md` is rendered from here, and every line is tested on a fixture.
The readings are second-hand: made from the code named, at the commit named, and in our words.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A public code base: where, which state of it was read, and what to know about it."""

    name: str
    read: str
    about: str


@dataclass(frozen=True)
class Line:
    """One number of one code base.

    `ours` is our measure and `relation` a key of `RELATIONS`; `holds` a key of `CONDITIONS`.
    Where nothing of ours equals the number, `relation` is "none", and `ours` the nearest measure.
    """

    code: str
    number: str
    formula: str
    ours: str
    relation: str = "same"
    holds: str = "always"
    note: str = ""


# What to do with our value x to get theirs; K classes, n samples in each.
RELATIONS: dict[str, tuple[str, Callable[[float, int, int], float] | None]] = {
    "same": ("our value", lambda x, K, n: x),
    "times K": ("K × ours", lambda x, K, n: K * x),
    "times √K": ("√K × ours", lambda x, K, n: math.sqrt(K) * x),
    "squared": ("ours squared", lambda x, K, n: x * x),
    "complement": ("1 − ours", lambda x, K, n: 1 - x),
    "sample std": ("√(K/(K−1)) × ours", lambda x, K, n: math.sqrt(K / (K - 1)) * x),
    "unbiased": ("n/(n−1) × ours", lambda x, K, n: n / (n - 1) * x),
    "share": ("ours/(1 + ours)", lambda x, K, n: x / (1 + x)),
    "none": ("no measure of ours", None),
}

CONDITIONS = {
    "always": "",
    "balanced": "balanced classes only: it centres on the sample mean, we on the average of class means",
    "equal counts": "equal class sizes n only",
    "no bias": "heads without bias only: it leaves the bias out, we do not",
    "head sums to zero": "only if the head's rows and biases sum to zero: it does not centre them",
    "means average to zero": "only if the class means average to zero: it does not centre them",
}

R, L, T = "rhubarbwu/neural-collapse", "rhubarbwu/linguistic-collapse", "tding1/Neural-Collapse"
P = "neuralcollapse/neuralcollapse"
N, K, J, Z = "felixsh/nc-toolbox", "kowalski", "jinxinzhou/nc_loss", "jinxinzhou/neural-collapse-MSE"
E, C, M, G = (
    "evanmarkou/Guiding-Neural-Collapse",
    "cjyaras/normalized-neural-collapse",
    "mariuslindegaard/Intermediate_Neural_Collapse",
    "TomerGalanti/NeuralCollapseDepth",
)
V, F, B = (
    "kvignesh1420/gnn_collapse",
    "Fsoft-AIC/Neural-Collapse-in-Deep-Linear-Networks",
    "kongwanbianjinyu/Neural-Collapse-For-Large-Number-of-Classes",
)
S, D, A = "glbreeze/neural_collapse", "dmbeaglehole/neural_collapse_rfm", "stable-pretraining"

CODES = (
    Code(R, "c05a0b8, 2025-02-06", "Library. float32 sums; drops directions of small class means."),
    Code(L, "9e25020, 2024-11-21", "Scripts for language models, 29 233 token classes."),
    Code(N, "0.0.8, a527f99, 2025-04-16", "Library. Mixes float32 and float64 means; see the first line."),
    Code(K, "0.0.2, 2025-02", "Library on the package index."),
    Code(P, "7f12011, 2022-02-08", "The notebook beside Papyan, Han and Donoho (2020)."),
    Code(T, "04ef586, 2022-07-19", "Scripts; copied or adapted in many repositories."),
    Code(Z, "4762407, 2022-07", "As tding1."),
    Code(J, "a294e2a, 2022-11", "As tding1, but centres the head's rows."),
    Code(E, "00cdf29, 2025-02", "Training package; adds 1e-4 I to Σ_B where its SVD fails."),
    Code(C, "286f669, 2022-09", "Scripts; features on a sphere."),
    Code(M, "1fb1344, 2023-06", "Layer by layer, K × d × d covariances."),
    Code(G, "e015c2b, 2022-01", "float32 second moments in one pass; skips the last incomplete batch."),
    Code(V, "b876686, 2026-04; shallow_nc1 1037b99", "shallow_nc1 writes 1 where the pseudo-inverse fails."),
    Code(F, "1869cb1, 2023-10", "As tding1, with the orthogonal frame beside the simplex."),
    Code(B, "037dc06, 2024-03", "As tding1, for K above d."),
    Code(S, "2c56e33, 2024-01", "Mixes the Papyan and tding1 families."),
    Code(D, "eee0604, 2024-05", "Recursive feature machines."),
    Code(A, "d15ec96d, 2026-06", "Callbacks for self-supervised training."),
)

NC1, NC1K = "tr(Σ_W Σ_B⁺)", "tr(Σ_W Σ_B⁺)/K"
W_ETF = "‖WWᵀ/‖WWᵀ‖ − simplex‖, W as it is"
WH = "‖WMᵀ/‖WMᵀ‖ − simplex‖"
CDNV = "mean over pairs of (v_k+v_k')/(2‖μ_k−μ_k'‖²)"
vc, cdnv = "within_class_variability", "class_distance_normalized_variance"
dsd, sdg, ncd = "duality_simplex_distance", "self_duality_gap", "nearest_centre_disagreement"
LOW = "on low-rank means its cutoffs give other numbers; compare the resolved variability"

LINES = (
    Line(R, "nc1_pinv", NC1K, vc, note=LOW),
    Line(R, "nc1_svd", NC1K, vc, note="forces rank K−1; fails for K−1 ≥ d"),
    Line(R, "nc1_quot", "tr Σ_W/tr Σ_B", "variability_ratio"),
    Line(R, "nc1_cdnv", CDNV, cdnv),
    Line(R, "nc2_etf_err", "‖MMᵀ/‖MMᵀ‖ − simplex‖", "simplex_distance", note="absent classes enter as 0"),
    Line(
        R,
        "nc2g_dist",
        "variance over pairs of ‖û_k−û_k'‖",
        "angle_deviation",
        "none",
        note="0 for any equal angles; ours is 0 only at the simplex angle",
    ),
    Line(
        R,
        "nc2g_log",
        "variance over pairs of log 1/‖û_k−û_k'‖",
        "uniformity",
        "none",
        note="ours is the mean of the same quantity",
    ),
    Line(R, "nc3_dual_err", WH, dsd),
    Line(
        R,
        "nc3u_uni_dual",
        "variance over classes of w_k·M_k",
        sdg,
        "none",
        note="0 for any equal products, whatever the directions; not scale-free",
    ),
    Line(R, "nc4_agree", "share where argmax Wh is the nearest mean", ncd, "complement", "no bias"),
    Line(L, "CDNV", CDNV, cdnv),
    Line(
        N,
        "nc1_strong",
        NC1K,
        vc,
        holds="balanced",
        note="the definition; the printed number is 10³ to 10¹² too large for float32 features with K ≤ d",
    ),
    Line(N, "nc1_weak", "tr Σ_W/tr Σ_T", "variability_ratio", "share", "balanced", "it prints 1 − that too"),
    Line(N, "cdnv", "the CDNV with v_k over n−1", cdnv, "unbiased", "equal counts", "NaN for n = 1"),
    Line(
        N,
        "equinorm",
        "mean over ordered pairs of log ‖M_k‖/‖M_k'‖",
        "norm_deviation",
        "none",
        note="signed terms cancel: always 0",
    ),
    Line(
        N,
        "equiangularity",
        "mean over all k, k' of the signed cos minus the simplex's",
        "angle_deviation",
        "none",
        note="signed terms cancel: 0 for equal norms, whatever the angles",
    ),
    Line(N, "nc3", "‖W/‖W‖ − M/‖M‖‖", sdg, holds="balanced"),
    Line(N, "nc4", "share where the head and the nearest mean agree", ncd, "complement"),
    Line(
        K,
        "within_class_variability",
        "tr(Σ_W Σ_T⁺)/N",
        vc,
        "none",
        note="its between-class matrix is the scatter of all samples: at most d/N, it measures sample size",
    ),
    Line(K, "simplex error of W", W_ETF, "head_simplex_distance", holds="head sums to zero"),
    Line(K, "self-duality", WH, dsd, holds="balanced"),
    Line(K, "cdnv", CDNV, cdnv),
    Line(P, "NC1", NC1, vc, "times K"),
    Line(P, "NC2, norms of means", "std/mean of ‖M_k‖, std over K−1", "norm_deviation", "sample std"),
    Line(P, "NC2, norms of W", "std/mean of ‖W_k‖, std over K−1", "head_norm_deviation", "sample std"),
    Line(P, "NC2, angles of means", "mean over pairs of |cos + 1/(K−1)|", "angle_deviation"),
    Line(P, "NC2, angles of W", "the same of W's rows", "head_angle_deviation"),
    Line(P, "NC3", "‖W/‖W‖ − M/‖M‖‖²", sdg, "squared"),
    Line(P, "NC4", "share where the head and the nearest mean differ", ncd),
    Line(T, "NC1", NC1K, vc, holds="balanced"),
    Line(T, "NC2", W_ETF, "head_simplex_distance", holds="head sums to zero"),
    Line(T, "NC3", WH, dsd, holds="balanced"),
    Line(T, "Wh + b", "‖W μ_G + b‖", "bias_collapse", "times √K", "head sums to zero"),
    Line(Z, "NC1", NC1K, vc, holds="balanced"),
    Line(Z, "NC2", W_ETF, "head_simplex_distance", holds="head sums to zero"),
    Line(J, "NC1", NC1K, vc, holds="balanced"),
    Line(J, "NC2", "‖W̃W̃ᵀ/‖W̃W̃ᵀ‖ − simplex‖, W̃ centred", "head_simplex_distance"),
    Line(E, "VCI", "1 − tr(Σ_T⁺ Σ_B)/min(d, K−1)", vc, "none", note="bounded by 1; 0 at collapse as ours"),
    Line(E, "NCC mismatch", "share where the head and the nearest mean differ", ncd),
    Line(C, "NC1", NC1K, vc, holds="balanced"),
    Line(C, "NC3", "‖WUᵀ/‖WUᵀ‖ − simplex‖, U uncentred", dsd, holds="means average to zero"),
    Line(M, "NC1", "tr(Σ_W Σ_B⁺), its Σ_W divided by K", vc, holds="balanced"),
    Line(M, "CDNV", CDNV, cdnv),
    Line(M, "NCC accuracy", "share nearest to the own class mean", "nearest_centre_accuracy"),
    Line(G, "CDNV", CDNV, cdnv, note="loses digits once the spread is small beside the offset"),
    Line(V, "NC1", NC1K, vc),
    Line(V, "NC1, ratio of traces", "tr Σ_W/tr Σ_B", "variability_ratio"),
    Line(F, "NC1", NC1K, vc, holds="balanced"),
    Line(F, "NC2 of means, no bias", "‖UUᵀ/‖UUᵀ‖ − I/√K‖, U uncentred", "orthogonal_frame_distance"),
    Line(F, "NC2 of W, no bias", "‖WWᵀ/‖WWᵀ‖ − I/√K‖", "head_orthogonal_frame_distance"),
    Line(B, "GNC1", NC1K, vc, holds="balanced"),
    Line(B, "NCC accuracy", "share nearest to the own class mean", "nearest_centre_accuracy"),
    Line(S, "NC1", NC1, vc, "times K"),
    Line(S, "NC2, norms of means", "std/mean of ‖M_k‖, std over K−1", "norm_deviation", "sample std"),
    Line(D, "NC1", "tr Σ_W/tr Σ_B", "variability_ratio"),
    Line(
        A,
        "RankMe",
        "exp entropy of the singular values of the features",
        "effective_rank",
        "none",
        note="ours: eigenvalues (squares), of centred features, without the added 1e-5",
    ),
)

# Numbers that no classification measure of ours stands beside; listed so that nobody searches for them.
OUTSIDE = (
    (R, "nc5_ood_dev", "needs data from outside the distribution"),
    (N, "NRC1 to NRC3, uNC3, principal decomposition", "regression, or not the class geometry"),
    (K, "spectrum, RankMe, bias collapse", "spectra; the formula of its bias collapse was not noted"),
    (P, "LNC1, LNC2/3, L⊥", "parts of a squared loss, not of the features"),
    (M, "angles between subspaces, stable ranks", "of covariances and layers, not of class means"),
    (B, "GNC2", "smallest distance of a row to the hull of the others; `coherence` is the nearest in spirit"),
    ("MONAI", "EmbeddingCollapseMetric", "scores of embeddings without a head"),
    ("WeightWatcher", "spectra of weights", "uses no data"),
)
