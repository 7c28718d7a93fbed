"""Whether a device can be used, asked before any work is spent."""

from __future__ import annotations


def check_device(device: str | None) -> None:
    """Refuse a device that torch cannot use here.

    Raises:
        ValueError: with torch's own reason.
    """
    if device is None:
        return
    import warnings

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # a number must come back: the device "meta" takes everything and computes nothing
            torch.zeros(1, device=device).item()
    # torch reports an unknown name, a missing driver and a device number too high by as many types
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"--device {device} cannot be used on this machine: {reason}") from error
