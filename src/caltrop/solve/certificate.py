"""What is proved about one point of a problem, and what is not, in numbers and in words.

Stationarity is the largest entry of the gradient; at kinks of ReLU, of the smallest one over all slopes (`kinks`).
Deep problems are not convex: there a certificate says stationary, balanced, aligned, and how the loss curves. With one
layer and a convex fit the problem is convex in its logits, and any point has a dual bound that no point lies below.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caltrop.solve.alignment import alignment_gap, balance_gap, interface_gap
from caltrop.solve.certified import Certificate
from caltrop.solve.curvature import chain_curvature, loss_curvature
from caltrop.solve.kinks import KinkResidual, kink_residual
from caltrop.theory import Params, Problem, duality
from caltrop.theory.chain import FEATURES, Chain
from caltrop.theory.unconstrained import Unconstrained

# Shares of a layer's largest pre-activation that are taken for 0, tried in turn: rounding; what a polish leaves; and
# 1e-3, about as far as gradient descent steps back and forth across a kink (measured: steps of .02 stay within 1e-3 and
# leave 2e-5 where the plain gradient is 4e-3; steps of .5 within 1e-2).
KINK_TOLERANCES = (1e-12, 1e-9, 1e-6, 1e-3)
# Above this share of the smallest penalty, what is left of the gradient blurs which eigenvalues are zero.
BLUR = 1e-2

__all__ = ["Certificate", "certify", "dual_bound"]


def certify(
    problem: Problem, params: Params, *, tol: float = 1e-9, kink_tolerance: float | None = None, curvature: bool = True
) -> Certificate:
    """What is proved about one point, and what is not.

    params
        One point, without leading axes. For unconstrained features models over class means, or over samples; where all
        samples of a class agree it is the same point, and gradients are those over class means.
    tol
        The largest gradient entry of a point that is called stationary.
    kink_tolerance
        With ReLU, the share of a layer's largest pre-activation up to which a pre-activation counts as 0. None takes
        the smallest of 1e-12, 1e-9, 1e-6 and 1e-3 at which the point is stationary; if it is at none, the largest
        that finds kinks which smaller ones do not.
    curvature
        Whether to look at the Hessian.

    Any other differentiable problem is taken through the gradient of its loss. Raises ValueError for parameters that
    are not those of one point of the problem.
    """
    if not isinstance(problem, Unconstrained):
        return _of_any(problem, params, tol, curvature)
    chain, point = _chain_of(problem, params)
    value = float(chain.loss(point))
    found, tolerance = _kinks(chain, point, tol, kink_tolerance)
    dual = dual_bound(problem, chain, point) if math.isfinite(value) else None
    optimal, bound = problem.optimal_value, problem.lower_bound
    bound = bound if dual is None else max(bound, dual)
    stationary = found.residual <= tol
    second = None
    if curvature and stationary and found.kinks == 0 and found.residual <= BLUR * float(chain.decays.min()):
        second = chain_curvature(chain, point, residual=found.residual)
    has_kinks = chain.relu and chain.depth > 1
    return Certificate(
        value=value,
        tol=tol,
        stationarity=found.residual,
        is_stationary=stationary,
        stationarity_floor=found.floor,
        kinks=found.kinks,
        active_kinks=found.active,
        kink_tolerance=tolerance if has_kinks else None,
        kink_reach=found.reach if has_kinks else None,
        kink_clearance=found.clearance if has_kinks else None,
        balance_gap=balance_gap(chain, point),
        interface_gap=interface_gap(chain, point),
        alignment_gap=alignment_gap(chain, point),
        optimal_value=optimal,
        lower_bound=bound,
        excess=value - (bound if optimal is None else optimal),
        duality_gap=None if dual is None else value - dual,
        curvature=second,
    )


def dual_bound(problem: Unconstrained, chain: Chain, params: Params) -> float | None:
    """What no loss of a problem of one layer lies below, from the dual at these class logits (`theory.duality`).

    Of samples that differ within a class their mean is taken. None above depth 1, where the problem is not convex in
    its logits.
    """
    model = problem.class_means
    if model.depth > 1:
        return None
    if len(chain.labels) != len(model.labels):
        members = torch.nn.functional.one_hot(chain.labels, problem.num_classes).to(model.multiplicities)
        params = {**params, FEATURES: members.T @ params[FEATURES] / model.multiplicities[:, None]}
    return duality.dual_bound(model, model.logits(params))


def _chain_of(problem: Unconstrained, params: Params) -> tuple[Chain, Params]:
    """The chain that the parameters are of, over class means wherever samples of a class agree."""
    chain = problem.class_means
    given = {name: tuple(value.shape) for name, value in params.items()}
    if given == chain.shapes:
        return chain, {name: value.detach().double() for name, value in params.items()}
    if given != problem.samples.shapes:
        found = ", ".join(f"{name} {list(shape)}" for name, shape in given.items())
        wanted = ", ".join(f"{name} {list(shape)}" for name, shape in chain.shapes.items())
        raise ValueError(
            f"parameters {found} are not one point of this problem. Over class means they are {wanted}; over samples, "
            f"features have {problem.num_samples} rows. Pass one seed at a time."
        )
    point = {name: value.detach().double() for name, value in params.items()}
    counts = torch.tensor(problem.class_counts)
    first = point[FEATURES][counts.cumsum(0) - counts]
    if bool((first[problem.labels] == point[FEATURES]).all()):
        return chain, {**point, FEATURES: first}
    return problem.samples, point


def _kinks(chain: Chain, params: Params, tol: float, asked: float | None) -> tuple[KinkResidual, float]:
    """The residual at the tolerance asked for, or at the smallest that makes the point stationary."""
    if not (chain.relu and chain.depth > 1):
        return kink_residual(chain, params), 0.0
    first, *wider = KINK_TOLERANCES if asked is None else (asked,)
    found, used = kink_residual(chain, params, tolerance=first, target=tol), first
    for tolerance in wider:
        # not where it would find the same kinks
        if found.residual > tol and found.clearance <= tolerance:
            found, used = kink_residual(chain, params, tolerance=tolerance, target=tol), tolerance
    return found, used


def _of_any(problem: Problem, params: Params, tol: float, curvature: bool) -> Certificate:
    """For a problem that only has a loss."""
    point = {name: value.detach().double().requires_grad_() for name, value in params.items()}
    with torch.enable_grad():
        loss = problem.loss(point)
        if loss.ndim:
            raise ValueError(f"parameters with leading axes {list(loss.shape)} are many points. Pass one at a time.")
        gradients = torch.autograd.grad(loss, list(point.values()), allow_unused=True, materialize_grads=True)
    value, largest = float(loss.detach()), max(_largest(part) for part in gradients)
    stationary = largest <= tol
    optimal, bound = problem.optimal_value, problem.lower_bound
    second = loss_curvature(problem.loss, point, residual=largest) if curvature and stationary else None
    return Certificate(
        value=value,
        tol=tol,
        stationarity=largest,
        is_stationary=stationary,
        stationarity_floor=largest,
        kinks=0,
        active_kinks=0,
        kink_tolerance=None,
        kink_reach=None,
        kink_clearance=None,
        balance_gap=None,
        interface_gap=None,
        alignment_gap=None,
        optimal_value=optimal,
        lower_bound=bound,
        excess=value - (bound if optimal is None else optimal),
        duality_gap=None,
        curvature=second,
    )


def _largest(values: Tensor) -> float:
    return float(values.abs().max()) if values.numel() else 0.0
