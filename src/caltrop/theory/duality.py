r"""A lower bound of a one-layer model from any point: what makes a solution of it certain.

With class logits $Z$ [classes, classes] and $D=\mathrm{diag}(\sqrt{n_k})$ the least penalty of factors is
$c\|DZ\|_*$, $c=\sqrt{\lambda_W\lambda_H}$, and the model is $\min_{Z,b}\sum_ks_k\,\ell(z_k+b)+c\|DZ\|_*$,
$s_k=n_k/N$. For slopes $y_k$ of which $\|\,(s_ky_k/\sqrt{n_k})_k\|_{op}\le c$ and, with a bias, $\sum_ks_ky_k=0$,

$$\sum_ks_k\ell(z_k+b)+c\|DZ\|_*\ \ge\ \sum_ks_k\bigl(\langle y_k,z_k+b\rangle-\ell^*(y_k)\bigr)+c\|DZ\|_*
\ \ge\ -\sum_ks_k\ell^*(y_k):$$

$\ell(z)\ge\langle y,z\rangle-\ell^*(y)$ is the definition of $\ell^*$; $\sum_ks_k\langle y_k,z_k\rangle$ is the inner
product of $(s_ky_k/\sqrt{n_k})_k$ with $DZ$, at least $-c\|DZ\|_*$; the part with $b$ is 0. Fewer dimensions, or
different features within a class, only raise the loss. Slopes are gradients at a point, made to sum to 0
where there is a bias (`Conjugate.balanced`) and scaled by the $t\le1$ that the norm allows. At an optimum nothing
has to be made or scaled and the bound is its value. Of a fit without a conjugate, convexity gives
$\ell^*(t\nabla)\le t\,\ell^*(\nabla)+(1-t)\,\ell^*(0)$, $\ell^*(\nabla\ell(z))=\langle\nabla\ell(z),z\rangle-\ell(z)$
and $\ell^*(0)=-\inf\ell$; with a bias it bounds only where the gradients sum to 0 as they are, to rounding.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from caltrop.theory.chain import Chain
from caltrop.theory.fits import Conjugate


def dual_bound(model: Chain, logits: Float64[Tensor, "classes classes"]) -> float:
    """A number that no loss of a one-layer model lies below, the better the nearer the class logits are to optimal.

    `model` is over class means (`Unconstrained.class_means`), `logits` include the bias. Holds up to rounding.

    Raises ValueError for a deep model: its penalty is not convex in the logits.
    """
    if model.depth != 1:
        raise ValueError(f"depth={model.depth}, but only the penalty of one layer is convex in the logits.")
    fit, labels, shares = model.fit_of, model.labels, model.shares
    slopes = fit.gradients(logits, labels)
    if isinstance(fit, Conjugate):
        if model.bias:
            slopes = fit.balanced(slopes, labels, shares)
        kept = _allowed(model, slopes)
        return -float(shares @ fit.conjugates(slopes * kept, labels))
    least = fit.infimum(model.num_classes)
    if model.bias and not _sums_to_zero(slopes * shares[:, None]):
        return least
    kept = _allowed(model, slopes)
    touching = float(shares @ (fit.values(logits, labels) - (slopes * logits).sum(dim=-1)))
    return max(least, kept * touching + (1 - kept) * least)


def coupling(model: Chain) -> float:
    """c = √(λ_W λ_H) of a one-layer model."""
    feature, weight = (float(decay) for decay in model.decays)
    # the product of two small penalties would underflow to 0
    return math.sqrt(feature) * math.sqrt(weight)


def _allowed(model: Chain, slopes: Tensor) -> float:
    """The largest t ≤ 1 by which the slopes may be scaled to meet the norm."""
    scaled = slopes * (model.shares / model.multiplicities.sqrt())[:, None]
    norm = float(np.linalg.norm(scaled.numpy(), 2))
    allowed = coupling(model)
    return 1.0 if norm <= allowed else allowed / norm


def _sums_to_zero(weighted: Tensor) -> bool:
    rounding = 4 * torch.finfo(weighted.dtype).eps * weighted.abs().sum(dim=0)
    return bool((weighted.sum(dim=0).abs() <= rounding).all())
