"""Modules that can be a last layer: y = W x + b, per sample, token or position."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from caltrop.capture.stillness import Stillness
from caltrop.stats import Head

# "rows": weight [classes, dim]; "columns": weight [dim, classes]; "conv": a convolution with a 1-wide kernel
LinearForm = Literal["rows", "columns", "conv"]


def linear_form(module: nn.Module, given: Tensor, returned: Tensor) -> LinearForm | None:
    """How `module` is linear, or None. Classes of other packages are believed only if W x + b comes out."""
    if isinstance(module, nn.Linear):
        return "rows"
    if isinstance(module, _ConvNd):
        return "conv" if _is_pointwise(module) else None
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if not isinstance(weight, Tensor) or weight.ndim != 2 or not given.is_floating_point():
        return None
    if not (bias is None or (isinstance(bias, Tensor) and bias.shape == returned.shape[-1:])):
        return None
    ends = (returned.shape[-1], given.shape[-1]) if given.ndim and returned.ndim else ()
    if given.shape[:-1] != returned.shape[:-1] or given.dtype != weight.dtype:
        return None
    # loose enough for half precision, far tighter than a normalised or scaled head would meet
    tolerance = 1e-4 if returned.dtype in (torch.float32, torch.float64) else 3e-2
    forms: tuple[tuple[LinearForm, Tensor], ...] = (("rows", weight), ("columns", weight.T))
    for form, rows in forms:
        if rows.shape == ends and _close(functional.linear(given, rows, bias), returned, tolerance):
            return form
    return None


def read_head(module: nn.Module, form: LinearForm) -> Head:
    """The weights as they act now, parametrizations applied, as float64 copies on the CPU."""
    # Spectral norm iterates whenever its weight is read in training mode; reading must not train.
    with Stillness(module).during():
        weight = _recomputed(module)
        bias = getattr(module, "bias", None)
        rows = weight.flatten(1) if form == "conv" else weight.T if form == "columns" else weight
        return Head.of(rows, bias)


def _recomputed(module: nn.Module) -> Tensor:
    """`module.weight`; under the hook-based weight and spectral norms it is stale between forwards."""
    for hook in module._forward_pre_hooks.values():
        if getattr(hook, "name", None) == "weight" and hasattr(hook, "compute_weight"):
            if type(hook).__name__ == "SpectralNorm":
                return torch.as_tensor(hook.compute_weight(module, do_power_iteration=False))
            return torch.as_tensor(hook.compute_weight(module))
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight


def _is_pointwise(conv: _ConvNd) -> bool:
    if isinstance(conv, _ConvTransposeNd) or conv.groups != 1:
        return False
    padded = not isinstance(conv.padding, str) and any(conv.padding)  # "same" pads a 1-wide kernel by 0
    return all(k == 1 for k in conv.kernel_size) and all(s == 1 for s in conv.stride) and not padded


def _close(first: Tensor, second: Tensor, tolerance: float) -> bool:
    scale = second.abs().amax() if second.numel() else second.new_tensor(0.0)
    return first.shape == second.shape and bool(((first - second).abs() <= tolerance * scale).all())
