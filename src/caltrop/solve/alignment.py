r"""How well the factors of a chain are balanced and aligned: what holds at every stationary point.

At a stationary point $\lambda_l\|W_l\|_F^2$ is the same for all factors, with or without ReLU. Without ReLU more
holds at each interface, $\lambda_lW_lW_l^\top=\lambda_{l+1}W_{l+1}^\top W_{l+1}$, so that adjacent singular vectors
agree (Lemma 1 of garrod2025persistence). Through ReLU only its diagonal is left, one equation for each unit, also where
units sit at kinks; the features enter their first matrix without ReLU. Class means count $m_k$ times.
"""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

from caltrop.theory.chain import FEATURES, Chain
from caltrop.theory.optimum import Params


def balance_gap(chain: Chain, params: Params) -> float:
    """(largest − smallest)/largest of λ‖·‖² over the factors, in [0, 1]; 0 where all factors are zero."""
    shares = chain.balance(params)
    largest = float(shares.max())
    return float(shares.max() - shares.min()) / largest if largest > 0 else 0.0


def interface_gap(chain: Chain, params: Params) -> float:
    r"""The largest $\|A-B\|_F/\max(\|A\|_F,\|B\|_F)$ over interfaces of penalised Grams, in [0, √2]; 0 where all are 0.

    A is that of the factor below and B that of the factor above; through ReLU their diagonals alone.
    """
    worst = 0.0
    for place, (below, above) in enumerate(_interfaces(chain, params)):
        if chain.relu and place > 0:
            below, above = below.diagonal(), above.diagonal()
        size = max(float(below.norm()), float(above.norm()))
        worst = max(worst, float((below - above).norm()) / size if size > 0 else 0.0)
    return worst


def alignment_gap(chain: Chain, params: Params) -> float | None:
    r"""The largest $\|AB-BA\|_F/(\|A\|_F\|B\|_F)$ over interfaces, in [0, √2]: 0 where singular vectors agree.

    Commuting Grams have common singular vectors, also where singular values coincide and vectors are not determined.
    None with ReLU above depth 1, where singular vectors need not agree, and where a factor is zero.
    """
    if chain.relu and chain.depth > 1:
        return None
    worst = 0.0
    for below, above in _interfaces(chain, params):
        size = float(below.norm()) * float(above.norm())
        if size == 0:
            return None
        worst = max(worst, float((below @ above - above @ below).norm()) / size)
    return worst


def _interfaces(chain: Chain, params: Params) -> list[tuple[Float64[Tensor, "dim dim"], Float64[Tensor, "dim dim"]]]:
    """Penalised Grams [dim, dim] of the factors below and above each interface, from the features upwards."""
    features = params[FEATURES] * chain.multiplicities[:, None].sqrt()
    below = chain.decays[0] * features.T @ features
    found = []
    for place, name in enumerate(chain.factors[1:], start=1):
        matrix, decay = params[name], chain.decays[place]
        found.append((below, decay * matrix.T @ matrix))
        below = decay * matrix @ matrix.T
    return found


def factor_rank(chain: Chain, params: Params, cut: float) -> int:
    """The largest rank of a factor: singular values above `cut` times the largest of the factor; 0 for zero factors."""
    ranks = [0]
    for name in chain.factors:
        values = torch.linalg.svdvals(params[name])
        ranks.append(int((values > cut * values[0]).sum()) if values[0] > 0 else 0)
    return max(ranks)
