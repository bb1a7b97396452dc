"""The device that models run on."""

import torch

from fgclep.errors import UserError


def choose_device(name: str) -> torch.device:
    """``auto`` takes a CUDA device if there is one; raises ``UserError`` if ``cuda`` is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("pretraining.device is cuda, and torch finds no CUDA device; set pretraining: {device: auto}")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
