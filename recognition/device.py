"""Where networks compute, and in which precision."""

from __future__ import annotations

import torch


def compute_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The type that ``Study.precision`` selects on this machine."""
    if precision == "auto":
        supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        fast = device.type == "cuda" or bool(supported())
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def autocast(precision: str) -> torch.autocast:
    """The context in which a network computes in ``Study.precision``."""
    device = compute_device()
    dtype = compute_dtype(precision, device)
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
