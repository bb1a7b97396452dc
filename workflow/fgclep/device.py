"""The device that models run on, and the precision that they are trained in."""

from typing import Any

import torch

from fgclep.errors import UserError


def choose_device(name: str) -> torch.device:
    """``auto`` takes a CUDA device if there is one; raises ``UserError`` if ``cuda`` is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("pretraining.device is cuda, and torch finds no CUDA device; set pretraining: {device: auto}")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def choose_precision(name: str, device: torch.device) -> str:
    """Return ``fp32``, ``bf16`` or ``fp16``: ``auto`` takes bf16 where the device has instructions for it, else fp32.

    Raises
    ------
    UserError
        If the device lacks what is asked for.
    """
    if name == "auto":
        return "bf16" if _has_bf16(device) else "fp32"
    if name == "fp16" and device.type == "cpu":
        raise UserError(
            "pretraining.precision is fp16, which needs a CUDA device, and the training runs on the CPU; "
            "set pretraining: {precision: bf16} or {precision: fp32}"
        )
    if name == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise UserError(
            f"pretraining.precision is bf16, which {torch.cuda.get_device_name()} lacks; "
            "set pretraining: {precision: fp16}"
        )
    return name


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, Any] = getattr(
        torch.cpu, "get_capabilities", dict
    )()  # older versions of PyTorch do not say
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
