"""What the optimizer is told: which weights learn how fast, and how that changes during the training."""

import math

from torch import Tensor, nn

from fgclep.config.pretraining import PretrainingSection


def parameter_groups(model: nn.Module, settings: PretrainingSection) -> list[dict]:
    """Optimizer groups: text and ECG side with their learning rates; vectors and scalars without weight decay."""
    groups: dict[tuple[str, float], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            side = "text" if name.startswith("text_") else "ecg"
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((side, decay), []).append(parameter)
    rates = {"text": settings.text_learning_rate, "ecg": settings.learning_rate}
    return [
        {"params": some, "side": side, "lr": rates[side], "base_lr": rates[side], "weight_decay": decay}
        for (side, decay), some in groups.items()
    ]


def cosine_with_warmup(done: float, warmup: float) -> float:
    """Factor of the learning rate after the share ``done`` of the training, the share ``warmup`` of it rising."""
    if done < warmup:
        return done / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warmup) / (1 - warmup))))
