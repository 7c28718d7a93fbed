r"""Newton steps for $S+\nabla g(A)=0$ with $V=A+\tau S$ split by singular values: semismooth, so that rank may change.

The derivative $D$ of $V\mapsto A$ is diagonal in the singular vectors of V (symmetric and antisymmetric parts of each
pair, eigenvalues d in [0, 1]). With $dA=D\,dV$ the equation $(1-D)dV/\tau+\nabla^2g\,dA=-(S+\nabla g)$ reads
$\bigl(\tfrac{1-d}{\tau d}+\nabla^2g\bigr)dA=-(S+\nabla g)$ where d > 0, positive semidefinite, and gives $dV$ directly
where d = 0. With strengths a of A and singular values s of S, $\tfrac{1-d}{\tau d}$ is, whatever τ is: between two
directions of A 0 (symmetric) and $2c/(a_i+a_j)$ (antisymmetric); between one of A and another $(c-s_j)/a_i$ and
$(c+s_j)/a_i$. That is how the nuclear norm curves among matrices of one rank; conjugate gradients are preconditioned
by it. Our derivation; the scheme is the semismooth Newton method for proximal residuals (Xiao, Li, Wen & Zhang, 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from caltrop.solve.convex_logits import ConvexLogits, Matrix, Split, Vector

# Added to the curvature, relative: directions in which the fit is flat stay where they are.
RIDGE = 1e-9
# Conjugate gradients end at this relative residual, or after so many products.
RESIDUAL, PRODUCTS = 1e-9, 400


@dataclass(frozen=True, eq=False)
class Residual:
    """S + ∇g in A, the gradient in b, and their joint norm in the scale of A."""

    by_matrix: Matrix
    by_bias: Vector
    norm: float

    @classmethod
    def at(cls, problem: ConvexLogits, split: Split, bias: Vector) -> Residual:
        """Of a point (V, b)."""
        by_matrix, by_bias = problem.slopes(split.primal, bias)
        error = problem.free(split.dual) + by_matrix
        square = error.square().sum() + by_bias.square().sum() / problem.num_samples
        return cls(error, by_bias, float(square.sqrt()))


def newton_step(problem: ConvexLogits, split: Split, bias: Vector, residual: Residual) -> tuple[Matrix, Vector]:
    """How V and b should change."""
    system = _System.of(problem, split, bias)
    right = -system.inside * system.seen(residual.by_matrix)
    change, shift = _conjugate_gradients(system, right, -residual.by_bias)
    curved, _ = system.curved(change, shift)
    # dV = dA + τ(1 − d)/(τd) dA where d > 0, −τ(S + ∇g + ∇²g dA) elsewhere
    along = change + split.tau * system.bent(change)
    across = -split.tau * (1 - system.inside) * (system.seen(residual.by_matrix) + curved)
    return split.left @ (along + across) @ split.right, shift


@dataclass(frozen=True, eq=False)
class _System:
    """The equation in the coordinates of V's singular vectors."""

    problem: ConvexLogits
    split: Split
    hessians: Float64[Tensor, "_ _ _"]
    inside: Matrix  # 1 where d > 0
    symmetric: Matrix
    antisymmetric: Matrix
    bias_inverse: Matrix
    scale: float
    bias_ridge: float

    @classmethod
    def of(cls, problem: ConvexLogits, split: Split, bias: Vector) -> _System:
        hessians = problem.curvatures(split.primal, bias)
        c, duals = problem.coupling, split.duals
        kept = split.strengths > 0
        one, both = kept[:, None] ^ kept, kept[:, None] & kept
        size = torch.maximum(split.strengths[:, None], split.strengths)
        other = torch.minimum(duals[:, None], duals)
        nothing = torch.zeros((), dtype=torch.float64)
        between = 2 * c / (split.strengths[:, None] + split.strengths)
        by_bias = torch.einsum("k,kij->ij", problem.model.shares, hessians)
        bias_ridge = RIDGE * float(by_bias.diagonal().max()) + 1e-300
        mean = hessians.diagonal(dim1=1, dim2=2).mean()
        return cls(
            problem=problem,
            split=split,
            hessians=hessians,
            inside=(one | both).double(),
            symmetric=torch.where(one, (c - other) / size, nothing),
            antisymmetric=torch.where(both, between, torch.where(one, (c + other) / size, nothing)),
            bias_inverse=torch.linalg.inv(by_bias + bias_ridge * torch.eye(len(by_bias), dtype=torch.float64)),
            scale=float(mean) / problem.num_samples + 1e-300,
            bias_ridge=bias_ridge,
        )

    def seen(self, matrix: Matrix) -> Matrix:
        """A matrix in the coordinates."""
        return self.split.left.T @ matrix @ self.split.right.T

    def bent(self, change: Matrix) -> Matrix:
        """(1 − d)/(τd) dA."""
        return self.symmetric * (change + change.T) / 2 + self.antisymmetric * (change - change.T) / 2

    def curved(self, change: Matrix, shift: Vector) -> tuple[Matrix, Vector]:
        """∇²g (dA, db)."""
        moved = self.problem.free(self.split.left @ change @ self.split.right)
        rows = torch.einsum("kij,kj->ki", self.hessians, self.problem.logits(moved, shift))
        back = self.problem.free(rows * self.problem.roots / self.problem.num_samples)
        return self.seen(back), self.problem.model.shares @ rows

    def applied(self, change: Matrix, shift: Vector) -> tuple[Matrix, Vector]:
        """The left-hand side."""
        curved, by_bias = self.curved(change, shift)
        matrix = self.inside * curved + self.bent(change) + RIDGE * self.scale * change
        return matrix, self._if_free(by_bias + self.bias_ridge * shift)

    def preconditioned(self, matrix: Matrix, shift: Vector) -> tuple[Matrix, Vector]:
        """Nearly the inverse: every direction curves like the mean one, and the nuclear norm as it does."""
        even, odd = (matrix + matrix.T) / 2, (matrix - matrix.T) / 2
        found = even / (self.symmetric + self.scale) + odd / (self.antisymmetric + self.scale)
        return self.inside * found, self._if_free(self.bias_inverse @ shift)

    def _if_free(self, shift: Vector) -> Vector:
        return shift if self.problem.model.bias else torch.zeros_like(shift)


def _conjugate_gradients(system: _System, right: Matrix, right_bias: Vector) -> tuple[Matrix, Vector]:
    found, found_bias = torch.zeros_like(right), torch.zeros_like(right_bias)
    ahead, ahead_bias = system.preconditioned(right, right_bias)
    size = first = float((right * ahead).sum() + right_bias @ ahead_bias)
    for _ in range(PRODUCTS):
        if not size > RESIDUAL**2 * first:
            break
        image, image_bias = system.applied(ahead, ahead_bias)
        bent = float((ahead * image).sum() + ahead_bias @ image_bias)
        if not bent > 0:
            break
        length = size / bent
        found, found_bias = found + length * ahead, found_bias + length * ahead_bias
        right, right_bias = right - length * image, right_bias - length * image_bias
        near, near_bias = system.preconditioned(right, right_bias)
        last, size = size, float((right * near).sum() + right_bias @ near_bias)
        ahead, ahead_bias = near + size / last * ahead, near_bias + size / last * ahead_bias
    return found, found_bias
