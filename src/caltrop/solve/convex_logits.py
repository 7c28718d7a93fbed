r"""A one-layer model as a convex problem in its class logits, $\min_{A,b}g(D^{-1}A+1b^\top)+c\|A\|_*$.

$D=\mathrm{diag}(\sqrt{n_k})$ and $g(Z)=\sum_k\tfrac{n_k}N\ell(z_k)$: $A=DZ$ has the singular values that the logits of
all samples have. With a free bias the columns of $A$ may be taken orthogonal to $(\sqrt{n_k})$: what a projection
takes away from $A$ the bias can give back, and no singular value grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float64
from torch import Tensor

from caltrop.theory.chain import Chain
from caltrop.theory.duality import coupling, dual_bound
from caltrop.theory.fits import Curved

# Step of central differences: the error of a slope of order 1 is balanced with its rounding.
DIFFERENCE = 1e-5

Matrix = Float64[Tensor, "_ _"]
Vector = Float64[Tensor, "_"]


@dataclass(frozen=True, eq=False)
class ConvexLogits:
    """The convex problem of a one-layer model over class means."""

    model: Chain

    @cached_property
    def coupling(self) -> float:
        """c."""
        return coupling(self.model)

    @cached_property
    def roots(self) -> Matrix:
        """√n_k, [classes, 1]."""
        found: Tensor = self.model.multiplicities.sqrt()[:, None]
        return found

    @cached_property
    def num_samples(self) -> float:
        """N."""
        return float(self.model.multiplicities.sum())

    def free(self, matrix: Matrix) -> Matrix:
        """The part of a matrix that no bias can stand for; all of it without one."""
        if not self.model.bias:
            return matrix
        along = self.roots / self.num_samples**0.5
        found: Tensor = matrix - along @ (along.T @ matrix)
        return found

    def logits(self, matrix: Matrix, bias: Vector) -> Matrix:
        """Z + 1bᵀ of A and b."""
        return matrix / self.roots + bias

    def fit(self, matrix: Matrix, bias: Vector) -> float:
        """g."""
        values = self.model.fit_of.values(self.logits(matrix, bias), self.model.labels)
        return float(self.model.shares @ values)

    def slopes(self, matrix: Matrix, bias: Vector) -> tuple[Matrix, Vector]:
        """The gradient of g in A, as far as it is free, and in b (zero without one)."""
        rows = self.model.fit_of.gradients(self.logits(matrix, bias), self.model.labels)
        by_bias = self.model.shares @ rows
        return self.free(rows * self.roots / self.num_samples), by_bias if self.model.bias else 0 * by_bias

    def curvatures(self, matrix: Matrix, bias: Vector) -> Float64[Tensor, "_ _ _"]:
        """The Hessian of each class's loss; of a fit that does not know it, central differences of its gradients."""
        fit, labels, logits = self.model.fit_of, self.model.labels, self.logits(matrix, bias)
        if isinstance(fit, Curved):
            return fit.curvatures(logits, labels)
        step = DIFFERENCE * (1 + float(logits.abs().max()))
        moves = step * torch.eye(logits.shape[-1], dtype=torch.float64)[:, None]
        # one row of the Hessian for each direction moved
        found = (fit.gradients(logits + moves, labels) - fit.gradients(logits - moves, labels)) / (2 * step)
        rows = found.permute(1, 0, 2)
        return (rows + rows.mT) / 2

    def bound(self, matrix: Matrix, bias: Vector) -> float:
        """What no loss of the model lies below."""
        return dual_bound(self.model, self.logits(matrix, bias))


@dataclass(frozen=True, eq=False)
class Split:
    r"""A matrix V seen as $A+\tau S$: A of singular values $(\sigma-\tau c)_+$, S of $\min(\sigma/\tau,c)$.

    So $S\in c\,\partial\|A\|_*$ whatever V is, and A solves the problem where $S=-\nabla g(A)$.
    """

    left: Matrix
    right: Matrix
    strengths: Vector
    duals: Vector
    tau: float

    @classmethod
    def of(cls, matrix: Matrix, tau: float, coupling: float) -> Split:
        """The only such A and S."""
        left, values, right = map(torch.from_numpy, _svd(matrix.numpy()))
        return cls(left, right, (values - tau * coupling).clamp(min=0), (values / tau).clamp(max=coupling), tau)

    @property
    def rank(self) -> int:
        """Of A."""
        return int((self.strengths > 0).sum())

    @cached_property
    def primal(self) -> Matrix:
        """A."""
        return (self.left * self.strengths) @ self.right

    @cached_property
    def dual(self) -> Matrix:
        """S."""
        return (self.left * self.duals) @ self.right

    @property
    def together(self) -> Matrix:
        """V."""
        return self.primal + self.tau * self.dual

    def moved(self, tau: float) -> Split:
        """The same A and S for another τ."""
        return Split(self.left, self.right, self.strengths, self.duals, tau)


def _svd(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        left, values, right = np.linalg.svd(matrix)
    except np.linalg.LinAlgError:
        # divide and conquer gives up on some matrices of many equal singular values; QR iterations do not
        left, values, right = scipy.linalg.svd(matrix, lapack_driver="gesvd")
    return left, values, right
