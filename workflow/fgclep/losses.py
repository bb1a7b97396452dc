r"""Contrastive losses between a batch of ECGs and the texts at hand.

With the cosine c_ij of ECG i and text j, the logit x_ij = t * c_ij + b, targets y_ij in {0, 1} (text j belongs to ECG
i), the semantic similarity S_ij in [0, 1] of text j to the report of ECG i, and B ECGs:

    siglip        L_sig = -1/B sum_ij log sigmoid((2 y_ij - 1) x_ij)                      (Zhai et al. 2023)
    fg_clep       L_sig + lambda * 1/B sum_ij |c_ij - S_ij|                               (FG-CLEP)
    soft_sigmoid  mean_ij [S_ij softplus(-x_ij) + (1 - S_ij) softplus(x_ij)]              (FOCAL)
    clip          cross-entropy over texts and over ECGs, targets shared among positives  (Radford et al. 2021)

-log sigmoid(x) = softplus(-x), which does not overflow. The published case is one text per ECG and y = identity.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

LOSSES = ("fg_clep", "siglip", "soft_sigmoid", "clip")


def contrastive_loss(
    name: str, cosine: Tensor, targets: Tensor, similarity: Tensor, temperature: Tensor, bias: Tensor, mitigation: float
) -> Tensor:
    """Return the loss ``name`` as a scalar.

    Parameters
    ----------
    cosine, targets, similarity
        Shape (ECGs, texts): cosines in [-1, 1], 0/1, and similarities in [0, 1].
    temperature, bias
        t and b of the logits; ``clip`` has no bias.
    mitigation
        lambda, the weight of the false-negative mitigation in ``fg_clep`` (0.5 in the paper).

    Raises
    ------
    ValueError
        For an unknown name.
    """
    logits = temperature * cosine + bias
    if name == "soft_sigmoid":
        soft = torch.maximum(similarity, targets)
        return (soft * F.softplus(-logits) + (1 - soft) * F.softplus(logits)).mean()
    if name == "clip":
        return (_cross_entropy(temperature * cosine, targets) + _cross_entropy(temperature * cosine.T, targets.T)) / 2
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}; known are {', '.join(LOSSES)}")
    loss = F.softplus((1 - 2 * targets) * logits).sum() / len(cosine)
    if name == "fg_clep":
        loss = loss + mitigation * (cosine - similarity).abs().sum() / len(cosine)
    return loss


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy per row with the target mass spread evenly over the row's positives."""
    positives = targets.sum(1)
    rows = positives > 0
    shares = targets[rows] / positives[rows, None]
    return -(shares * F.log_softmax(logits[rows], dim=1)).sum(1).mean()
