"""Accelerated proximal gradient steps: from anywhere to where Newton steps settle the rest."""

from __future__ import annotations

import math

import torch

from caltrop.solve.convex_logits import ConvexLogits, Matrix, Split, Vector

# Rounding of a value, relative: differences below it say nothing.
ROUNDING = 1e-14


def accelerated(problem: ConvexLogits, matrix: Matrix, bias: Vector, steps: int) -> tuple[Split, Vector]:
    """FISTA with backtracking, restarted where the value rises (Beck & Teboulle, 2009; O'Donoghue & Candès, 2015)."""
    steep = max(float(torch.linalg.eigvalsh(problem.curvatures(matrix, bias)).max()) / problem.num_samples, 1e-300)
    matrix, bias = problem.free(matrix), bias + _given_back(problem, matrix)
    ahead, ahead_bias, pace, lowest = matrix, bias, 1.0, math.inf
    found = Split.of(matrix, 1 / steep, problem.coupling)
    for _ in range(steps):
        base = problem.fit(ahead, ahead_bias)
        by_matrix, by_bias = problem.slopes(ahead, ahead_bias)
        while True:
            found = Split.of(ahead - by_matrix / steep, 1 / steep, problem.coupling)
            # in the scale of A the bias is √N b, so that one step length suits both
            new_bias = ahead_bias - by_bias / (steep * problem.num_samples)
            moved, shifted = found.primal - ahead, new_bias - ahead_bias
            fit = problem.fit(found.primal, new_bias)
            square = float(moved.square().sum() + problem.num_samples * shifted.square().sum())
            model = base + float((by_matrix * moved).sum() + by_bias @ shifted) + steep / 2 * square
            if fit <= model + ROUNDING * abs(base) or not math.isfinite(steep):
                break
            steep *= 2
        value = fit + problem.coupling * float(found.strengths.sum())
        if value > lowest:
            ahead, ahead_bias, pace, lowest = matrix, bias, 1.0, math.inf
            continue
        quicker = (1 + math.sqrt(1 + 4 * pace * pace)) / 2
        push = (pace - 1) / quicker
        ahead, ahead_bias = found.primal + push * (found.primal - matrix), new_bias + push * (new_bias - bias)
        matrix, bias, pace, lowest = found.primal, new_bias, quicker, value
    by_matrix, _ = problem.slopes(matrix, bias)
    return Split.of(matrix - by_matrix / steep, 1 / steep, problem.coupling), bias


def _given_back(problem: ConvexLogits, matrix: Matrix) -> Vector:
    """What the bias has to gain when A loses all that is not free."""
    return ((matrix - problem.free(matrix)) / problem.roots)[0]
