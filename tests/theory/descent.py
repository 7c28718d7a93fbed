"""The value that descent reaches from a random start: what a closed form must never be beaten by."""

from __future__ import annotations

import torch
from scipy.optimize import minimize


def descended(problem, seed):
    start = problem.init(seed)
    sizes = [value.numel() for value in start.values()]

    def value_and_gradient(flat):
        pieces = torch.from_numpy(flat).split(sizes)
        params = {
            name: piece.reshape(value.shape).requires_grad_()
            for (name, value), piece in zip(start.items(), pieces, strict=True)
        }
        loss = problem.loss(params)
        gradients = torch.autograd.grad(loss, list(params.values()))
        return loss.item(), torch.cat([one.reshape(-1) for one in gradients]).numpy()

    flat = torch.cat([value.reshape(-1) for value in start.values()]).numpy().copy()
    options = {"maxiter": 4000, "maxfun": 8000, "ftol": 1e-16, "gtol": 1e-11}
    return minimize(value_and_gradient, flat, jac=True, method="L-BFGS-B", options=options).fun
