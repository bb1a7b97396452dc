"""What the optimizer is told: which weights learn how fast, and how that changes during the training."""

import math

from torch import Tensor, nn

from fgclep.config.pretraining import PretrainingSection
from fgclep.models.state_space import DiagonalStateSpace

FASTEST_DYNAMICS = 1e-3  # learning rate of state spaces, as published


def parameter_groups(model: nn.Module, settings: PretrainingSection) -> list[dict]:
    """Optimizer groups: text and ECG side with their learning rates; vectors and scalars without weight decay.

    The dynamics of state spaces (S4D) have no weight decay either, and learn by ``FASTEST_DYNAMICS`` at most.
    """
    spaces = (module for module in model.modules() if isinstance(module, DiagonalStateSpace))
    slow = {id(parameter) for space in spaces for parameter in space.dynamics()}
    groups: dict[tuple[str, float], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            side = "dynamics" if id(parameter) in slow else "text" if name.startswith("text_") else "ecg"
            decay = settings.weight_decay if parameter.ndim > 1 and side != "dynamics" else 0.0
            groups.setdefault((side, decay), []).append(parameter)
    rates = {
        "text": settings.text_learning_rate, "ecg": settings.learning_rate,
        "dynamics": min(FASTEST_DYNAMICS, settings.learning_rate),
    }  # fmt: skip
    return [
        {"params": some, "side": side, "lr": rates[side], "base_lr": rates[side], "weight_decay": decay}
        for (side, decay), some in groups.items()
    ]


def cosine_with_warmup(done: float, warmup: float) -> float:
    """Factor of the learning rate after the share ``done`` of the training, the share ``warmup`` of it rising."""
    if done < warmup:
        return done / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warmup) / (1 - warmup))))
