"""Every line of the map on a fixture: the other code's formula, in plain NumPy, against our measure."""

from __future__ import annotations

import importlib.util
import math
import sys
from functools import cache, cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import caltrop.measures
from caltrop.observe import measure

approx = pytest.approx
DATA = Path(__file__).parents[2] / "docs" / "_data"


def load(name):
    spec = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


conventions = load("conventions")
LINES = conventions.LINES


def identity(line):
    return f"{line.code.split('/')[0]}: {line.number}"


def frobenius(matrix):
    return matrix / np.linalg.norm(matrix)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Sample:
    """A labelled sample with a head, and the letters of the map's page."""

    def __init__(self, met, centre_on_samples):
        """`met` is the condition that the sample satisfies; every other one it breaks."""
        draw = np.random.default_rng(7)
        self.K, self.d = 6, 9
        sizes = [20] * 6 if met in ("balanced", "equal counts") else [40, 30, 20, 15, 10, 5]
        self.labels = draw.permutation(np.repeat(np.arange(6), sizes))
        self.N, self.n = len(self.labels), np.bincount(self.labels)
        means = draw.standard_normal((6, 9)) + 0.4
        features = means[self.labels] + 0.7 * draw.standard_normal((self.N, 9))
        self.W = means + 0.5 * draw.standard_normal((6, 9))
        self.b = None if met == "no bias" else draw.standard_normal(6)
        if met == "head sums to zero":
            self.W, self.b = self.W - self.W.mean(0), self.b - self.b.mean()
        if met == "means average to zero":
            features = features - np.mean([features[self.labels == k].mean(0) for k in range(6)], axis=0)
        self.h, self.centre_on_samples = features, centre_on_samples

    @cached_property
    def seen(self):
        return measure(self.h, self.labels, weights=self.W, bias=self.b)

    @cached_property
    def mu(self):
        return np.array([self.h[self.labels == k].mean(0) for k in range(self.K)])

    @property
    def centred(self):
        return self.mu - (self.h.mean(0) if self.centre_on_samples else self.mu.mean(0))

    @property
    def within(self):
        rest = self.h - self.mu[self.labels]
        return rest.T @ rest / self.N

    @property
    def between(self):
        return self.centred.T @ self.centred / self.K

    @property
    def total(self):
        return np.cov(self.h.T, bias=True)

    @property
    def nearest(self):
        return np.linalg.norm(self.h[:, None] - self.mu[None], axis=2).argmin(1)

    def decided(self, bias=True):
        return (self.h @ self.W.T + (self.b if bias and self.b is not None else 0)).argmax(1)

    def nc1(self):
        return np.trace(self.within @ np.linalg.pinv(self.between, rcond=1e-9, hermitian=True))

    def cdnv(self, unbiased=0):
        rest = ((self.h - self.mu[self.labels]) ** 2).sum(1)
        v = [rest[self.labels == k].sum() / (self.n[k] - unbiased) for k in range(self.K)]
        return self.over_pairs(lambda k, j: (v[k] + v[j]) / 2 / np.sum((self.mu[k] - self.mu[j]) ** 2)).mean()

    def over_pairs(self, of):
        return np.array([of(k, j) for k, j in combinations(range(self.K), 2)])

    def distances(self):
        rows = unit(self.centred)
        return self.over_pairs(lambda k, j: np.linalg.norm(rows[k] - rows[j]))

    def angles(self, rows):
        rows = unit(rows)
        return self.over_pairs(lambda k, j: abs(rows[k] @ rows[j] + 1 / (self.K - 1))).mean()

    def from_simplex(self, rows, others):
        ideal = (np.eye(self.K) - 1 / self.K) / math.sqrt(self.K - 1)
        return np.linalg.norm(frobenius(rows @ others.T) - ideal)

    def from_frame(self, rows):
        return np.linalg.norm(frobenius(rows @ rows.T) - np.eye(self.K) / math.sqrt(self.K))


def spread(rows, ddof):
    norms = np.linalg.norm(rows, axis=1)
    return norms.std(ddof=ddof) / norms.mean()


def mean_signed_log(rows):
    logs = np.log(np.linalg.norm(rows, axis=1))
    return (logs[:, None] - logs[None]).mean()


def mean_signed_angle(s):
    cosines = unit(s.centred) @ unit(s.centred).T
    return (cosines - (np.eye(s.K) * s.K - 1) / (s.K - 1)).mean()


def entropy_of_singular_values(features):
    shares = np.linalg.svd(features, compute_uv=False)
    shares = shares / shares.sum()
    return np.exp(-(shares * np.log(shares)).sum())


FORMULAS = {
    "tr(Σ_W Σ_B⁺)": lambda s: s.nc1(),
    "tr(Σ_W Σ_B⁺)/K": lambda s: s.nc1() / s.K,
    "tr(Σ_W Σ_B⁺), its Σ_W divided by K": lambda s: s.nc1() / s.K,
    "tr Σ_W/tr Σ_B": lambda s: np.trace(s.within) / np.trace(s.between),
    "tr Σ_W/tr Σ_T": lambda s: np.trace(s.within) / np.trace(s.total),
    "tr(Σ_W Σ_T⁺)/N": lambda s: np.trace(s.within @ np.linalg.inv(s.total)) / s.N,
    "1 − tr(Σ_T⁺ Σ_B)/min(d, K−1)": lambda s: 1 - np.trace(np.linalg.inv(s.total) @ s.between) / 5,
    "mean over pairs of (v_k+v_k')/(2‖μ_k−μ_k'‖²)": lambda s: s.cdnv(),
    "the CDNV with v_k over n−1": lambda s: s.cdnv(unbiased=1),
    "‖MMᵀ/‖MMᵀ‖ − simplex‖": lambda s: s.from_simplex(s.centred, s.centred),
    "‖WWᵀ/‖WWᵀ‖ − simplex‖, W as it is": lambda s: s.from_simplex(s.W, s.W),
    "‖W̃W̃ᵀ/‖W̃W̃ᵀ‖ − simplex‖, W̃ centred": lambda s: s.from_simplex(s.W - s.W.mean(0), s.W - s.W.mean(0)),
    "‖WMᵀ/‖WMᵀ‖ − simplex‖": lambda s: s.from_simplex(s.W, s.centred),
    "‖WUᵀ/‖WUᵀ‖ − simplex‖, U uncentred": lambda s: s.from_simplex(s.W, s.mu),
    "‖UUᵀ/‖UUᵀ‖ − I/√K‖, U uncentred": lambda s: s.from_frame(s.mu),
    "‖WWᵀ/‖WWᵀ‖ − I/√K‖": lambda s: s.from_frame(s.W),
    "variance over pairs of ‖û_k−û_k'‖": lambda s: s.distances().var(),
    "variance over pairs of log 1/‖û_k−û_k'‖": lambda s: np.log(1 / s.distances()).var(),
    "variance over classes of w_k·M_k": lambda s: (s.W * s.centred).sum(1).var(ddof=1),
    "std/mean of ‖M_k‖, std over K−1": lambda s: spread(s.centred, 1),
    "std/mean of ‖W_k‖, std over K−1": lambda s: spread(s.W, 1),
    "mean over ordered pairs of log ‖M_k‖/‖M_k'‖": lambda s: mean_signed_log(s.centred),
    "mean over all k, k' of the signed cos minus the simplex's": mean_signed_angle,
    "mean over pairs of |cos + 1/(K−1)|": lambda s: s.angles(s.centred),
    "the same of W's rows": lambda s: s.angles(s.W),
    "‖W/‖W‖ − M/‖M‖‖": lambda s: np.linalg.norm(frobenius(s.W) - frobenius(s.centred)),
    "‖W/‖W‖ − M/‖M‖‖²": lambda s: np.sum((frobenius(s.W) - frobenius(s.centred)) ** 2),
    "‖W μ_G + b‖": lambda s: np.linalg.norm(s.W @ s.h.mean(0) + s.b),
    "share where argmax Wh is the nearest mean": lambda s: (s.decided(bias=False) == s.nearest).mean(),
    "share where the head and the nearest mean agree": lambda s: (s.decided() == s.nearest).mean(),
    "share where the head and the nearest mean differ": lambda s: (s.decided() != s.nearest).mean(),
    "share nearest to the own class mean": lambda s: (s.nearest == s.labels).mean(),
    "exp entropy of the singular values of the features": lambda s: entropy_of_singular_values(s.h),
}


sample_where = cache(Sample)


def both(line, met):
    """Their number, and what our measure and the stated relation make of it."""
    sample = sample_where(met, line.holds == "balanced")
    relation = conventions.RELATIONS[line.relation][1]
    value = sample.seen["features", line.ours]
    return FORMULAS[line.formula](sample), value if relation is None else relation(value, sample.K, sample.n[0])


@pytest.mark.parametrize("line", [line for line in LINES if line.relation != "none"], ids=identity)
def test_the_line_gives_their_number(line):
    theirs, ours = both(line, line.holds)
    assert ours == approx(theirs, rel=1e-9)


@pytest.mark.parametrize("line", [line for line in LINES if line.holds != "always"], ids=identity)
def test_the_condition_of_the_line_is_needed(line):
    """Where the condition is broken the two numbers differ by more than one part in a hundred."""
    theirs, ours = both(line, "always")
    assert ours != approx(theirs, rel=1e-2)


@pytest.mark.parametrize("line", [line for line in LINES if line.relation == "none"], ids=identity)
def test_where_nothing_of_ours_is_equal_the_nearest_really_differs(line):
    theirs, nearest = both(line, "always")
    assert nearest != approx(theirs, rel=1e-2)


@pytest.mark.parametrize(
    "number", ["nc2g_dist", "nc2g_log", "equinorm", "within_class_variability"], ids=lambda number: number
)
def test_no_measure_at_all_equals_what_the_map_calls_unmatched(number):
    line = next(line for line in LINES if line.relation == "none" and line.number == number)
    sample = sample_where("always", False)
    theirs = FORMULAS[line.formula](sample)
    assert [row.measure for row in sample.seen.rows if row.value == approx(theirs, rel=1e-6, abs=1e-12)] == []


@pytest.mark.parametrize("line", LINES, ids=identity)
def test_the_line_names_a_measure_and_a_known_rule(line):
    assert line.ours in caltrop.measures.names()
    assert line.holds in conventions.CONDITIONS
    assert line.code in {code.name for code in conventions.CODES}


def test_the_ten_names_of_the_leading_package_are_all_there():
    ten = [line.number for line in LINES if line.code == conventions.R]
    assert ten == [
        "nc1_pinv",
        "nc1_svd",
        "nc1_quot",
        "nc1_cdnv",
        "nc2_etf_err",
        "nc2g_dist",
        "nc2g_log",
        "nc3_dual_err",
        "nc3u_uni_dual",
        "nc4_agree",
    ]


def test_no_number_is_mapped_twice():
    keys = [(line.code, line.number) for line in LINES]
    assert len(keys) == len(set(keys))


def test_the_page_is_what_the_table_renders_to():
    page = (DATA.parent / "map.md").read_text(encoding="utf-8")
    assert page == load("render_map").render(), "run: python docs/_data/render_map.py"
