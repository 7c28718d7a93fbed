"""Whether a device can be used, asked before any work is spent."""

from __future__ import annotations


def check_device(device: str | None) -> None:
    """Refuse a device that torch cannot use here.

    Raises:
        ValueError: with torch's own reason.
    """
    if device is None:
        return
    import torch

    try:
        torch.empty(0, device=device)
    # torch reports an unknown name, a missing driver and a device number too high by as many types
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"--device {device} cannot be used on this machine: {reason}") from error
