"""Explicit points of deep models, written from their definitions: what certificates are tried on."""

from __future__ import annotations

import itertools
import math

import torch
from scipy.optimize import brentq

from caltrop.theory.chain import Chain
from caltrop.theory.fits import CrossEntropy, SquaredError


def chain(num_classes, depth, dim, decay, per_class=1, fit=None, relu=False, bias=False, decays=None):
    """The class-mean form of a balanced deep model."""
    counts = torch.full((num_classes,), float(per_class), dtype=torch.float64)
    given = [decay] * (depth + 1) if decays is None else decays
    return Chain(
        fit_of=fit or CrossEntropy(),
        labels=torch.arange(num_classes),
        shares=counts / counts.sum(),
        multiplicities=counts,
        num_classes=num_classes,
        dim=dim,
        decays=torch.tensor(given, dtype=torch.float64),
        depth=depth,
        relu=relu,
        bias=bias,
    )


def incidence(corners):
    edges = list(itertools.combinations(range(corners), 2))
    matrix = torch.zeros(corners, len(edges), dtype=torch.float64)
    for place, (one, other) in enumerate(edges):
        matrix[one, place] = matrix[other, place] = 1
    return matrix


def _padded(matrix, rows, columns):
    full = torch.zeros(rows, columns, dtype=torch.float64)
    full[: matrix.shape[0], : matrix.shape[1]] = matrix
    return full


def _first_pair(model, passed):
    """Balanced H and W_1 whose product is `passed` [rows, units]."""
    left, values, right = torch.linalg.svd(passed, full_matrices=False)
    keep = values > 1e-12 * values[0]
    left, values, right = left[:, keep], values[keep], right[keep]
    ratio = float(model.decays[1] / (model.decays[0] * model.multiplicities[0])) ** 0.25
    return left * values.sqrt() * ratio, right.T * values.sqrt() / ratio


def graph_point(num_classes, depth, decay, dim, sign, per_class=1):
    """SRG (sign 1) or its Kneser variant (sign −1) for K = r(r−1)/2 classes, squared error and ReLU."""
    corners = round((1 + math.sqrt(1 + 8 * num_classes)) / 2)
    edges = incidence(corners)
    model = chain(num_classes, depth, dim, decay, per_class, SquaredError(), relu=True)
    decays = model.decays.tolist()
    inner = math.prod(decays[2:depth])
    trace = float(torch.linalg.svdvals(edges).sum())
    first = per_class * decays[0] * decays[1]
    overlap = (edges.T @ edges).round()
    shape = torch.eye(num_classes, dtype=torch.float64) if sign > 0 else (overlap == 0).double()
    spectrum = torch.linalg.eigvalsh(shape).tolist()
    cost = first * trace**2 * inner * corners ** (depth - 2) * num_classes / 4
    ridge = num_classes * decays[depth]

    def slope(scale):
        fit = -decays[depth] * sum(scale * s * s / (scale * scale * s * s + ridge) ** 2 for s in spectrum)
        return fit + cost ** (1 / depth) * scale ** (2 / depth - 1)

    low = brentq(slope, 0.05, 20.0, xtol=1e-15, rtol=1e-15)
    product = cost * low * low
    share = product ** (1 / depth)
    start = share / (math.sqrt(first) * trace)
    params = {}
    features, weights = _first_pair(model, start * edges.T)
    params["features"] = _padded(features, num_classes, dim)
    params["weights_1"] = _padded(weights, dim, dim)
    for layer in range(2, depth - 1):
        scale = math.sqrt(share / (decays[layer] * corners))
        params[f"weights_{layer}"] = _padded(scale * torch.eye(corners, dtype=torch.float64), dim, dim)
    last = math.sqrt(share / (decays[depth - 1] * corners * num_classes))
    params[f"weights_{depth - 1}"] = _padded(sign * last * (2 * edges.T - 1), dim, dim)
    head = low * shape @ torch.linalg.inv(low * low * shape @ shape + ridge * torch.eye(num_classes).double())
    params["weights"] = _padded(head, num_classes, dim)
    return model, params


def orthogonal_point(num_classes, depth, decay, dim, per_class=1):
    """DNC of squared error with ReLU: every factor a multiple of the identity."""
    model = chain(num_classes, depth, dim, decay, per_class, SquaredError(), relu=True)
    coupling = (per_class * decay ** (depth + 1)) ** (1 / (depth + 1))
    kappa = num_classes * coupling
    peak = ((depth - 1) / (2 * depth)) if depth > 1 else 0.0
    power = (depth - 1) / (depth + 1)
    scale = brentq(lambda x: x**power * (1 - x) - kappa, max(peak, 1e-9), 1, xtol=1e-16, rtol=1e-15)
    # all λ‖·‖² are equal: K λ ρ^2
    share = (scale * scale * per_class) ** (1 / (depth + 1))
    rho = math.sqrt(share)
    eye = torch.eye(num_classes, dtype=torch.float64)
    params = {"features": _padded(eye * rho / math.sqrt(per_class), num_classes, dim)}
    for layer in range(1, depth):
        params[f"weights_{layer}"] = _padded(eye * rho, dim, dim)
    params["weights"] = _padded(eye * rho, num_classes, dim)
    return model, params


def logit_point(model, logits):
    """Balanced factors of class logits [K, K] in a chain without ReLU."""
    counts = model.multiplicities[:, None].sqrt()
    left, values, right = torch.linalg.svd(counts * logits)
    keep = values > 1e-12 * values[0]
    left, values, right = left[:, keep], values[keep], right[keep].T
    share = (values * model.decays.prod().sqrt()) ** (2 / (model.depth + 1))
    spectra = [(share / decay).sqrt() for decay in model.decays]
    params = {"features": _padded(left * spectra[0] / counts, model.num_classes, model.dim)}
    for layer in range(1, model.depth):
        params[f"weights_{layer}"] = _padded(torch.diag(spectra[layer]), model.dim, model.dim)
    params["weights"] = _padded(right * spectra[-1], model.num_classes, model.dim)
    return params


def best_scale(model, shape, low=1.0, high=60.0):
    """The scale at which the logits scale · shape are stationary under the penalties: a root of a derivative."""
    counts = model.multiplicities[:, None].sqrt()
    values = torch.linalg.svdvals(counts * shape)
    power = 2 / (model.depth + 1)
    coupling = float(model.decays.prod()) ** (1 / (model.depth + 1))
    norm = float(values[values > 1e-12].pow(power).sum())

    def slope(scale):
        error = model.fit_of.gradients(scale * shape, model.labels) * model.shares[:, None]
        return float((error * shape).sum()) + coupling * norm * scale ** (power - 1)

    return brentq(slope, low, high, xtol=1e-15, rtol=1e-15)


def simplex_shape(num_classes):
    return torch.eye(num_classes, dtype=torch.float64) - 1 / num_classes


def pairs_shape(num_classes):
    block = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    return torch.block_diag(*[block] * (num_classes // 2))
