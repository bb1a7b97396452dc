r"""Contrastive losses between a batch of ECGs and the texts at hand.

With the cosine c_ij of ECG i and text j, the logit x_ij = t * c_ij + b, targets y_ij in {0, 1} (text j belongs to ECG
i), the semantic similarity S_ij in [0, 1] of text j to the report of ECG i, B ECGs, and of each text j the P_j ECGs
that have it and the N_j that do not:

    balanced      mean_j [1/P_j sum_i y_ij softplus(-x_ij) + 1/N_j sum_i (1 - y_ij) softplus(x_ij)]
    siglip        L_sig = -1/B sum_ij log sigmoid((2 y_ij - 1) x_ij)                      (Zhai et al. 2023)
    fg_clep       L_sig + lambda * 1/B sum_ij |c_ij - S_ij|                               (FG-CLEP)
    soft_sigmoid  mean_ij [S_ij softplus(-x_ij) + (1 - S_ij) softplus(x_ij)]              (FOCAL)
    clip          cross-entropy over texts and over ECGs, targets shared among positives  (Radford et al. 2021)
    balanced_clip balanced + clip

The published case is one text per ECG and y = identity. In ``soft_sigmoid`` S_ij is 1 where y_ij = 1. In ``clip``,
which has no bias, an ECG without a text at hand, or a text without an ECG, is a row or column that is left out; so is
in ``balanced`` a text that all ECGs have, or none.

The sum of ``siglip`` weighs a text by how many ECGs have it, so that what is frequent is learnt and what is rare is
called absent. ``balanced`` gives every text the same weight, and its ECGs together as much as all others, as the
macro AUROC does by which models are judged. Beside it, the softmax of ``clip`` looks at the hardest of the others.

Pairs of which nobody knows whether the text holds for the ECG are left out: all sums, means and counts go over the
other pairs only. They go over the ECGs of all processes, block by block, see ``fgclep.training.pair_blocks``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from fgclep.training.distributed import gather_rows, total
from fgclep.training.pair_blocks import BLOCK, Block, Logits, PairBlocks, Pairs

LOSSES = ("balanced_clip", "balanced", "fg_clep", "siglip", "soft_sigmoid", "clip")


@dataclass(frozen=True)
class Objective:
    """Which loss, and its settings.

    Parameters
    ----------
    name
        One of ``LOSSES``.
    mitigation
        lambda, the weight of the false-negative mitigation in ``fg_clep`` (0.5 in the paper).
    block
        Cosines computed at once; changes memory and speed only.

    Raises
    ------
    ValueError
        For an unknown name.
    """

    name: str
    mitigation: float = 0.5
    block: int = BLOCK

    def __post_init__(self) -> None:
        if self.name not in LOSSES:
            raise ValueError(f"unknown loss {self.name!r}; known are {', '.join(LOSSES)}")


def contrastive_loss(objective: Objective, ecgs: Tensor, texts: Tensor, pairs: Pairs, logits: Logits) -> Tensor:
    """Return the loss as a scalar, the same in every process; the mean of the processes' gradients is its gradient.

    Parameters
    ----------
    ecgs
        Embeddings of this process's ECGs, shape (ECGs, ...).
    texts
        Embeddings of all texts, shape (texts, dimensions).
    pairs
        Gives targets and similarity of any block of ECGs and texts.
    """
    blocks = PairBlocks(ecgs, texts, pairs, logits, objective.block)
    match objective.name:
        case "balanced":
            loss = blocks.sum(balanced_loss(blocks))
        case "siglip":
            loss = blocks.sum(lambda p: sigmoid_loss(p.x, p.y)) / blocks.B
        case "fg_clep":
            loss = blocks.sum(lambda p: sigmoid_loss(p.x, p.y) + objective.mitigation * (p.c - p.S).abs()) / blocks.B
        case "soft_sigmoid":
            loss = blocks.mean(lambda p: sigmoid_loss(p.x, p.S))
        case "clip":
            loss = blocks.sum(softmax_loss(blocks))
        case "balanced_clip":
            balanced, softmax = balanced_loss(blocks), softmax_loss(blocks)
            loss = blocks.sum(lambda p: balanced(p) + softmax(p))
    return loss.to(ecgs)


def sigmoid_loss(x: Tensor, y: Tensor) -> Tensor:
    """Return y softplus(-x) + (1 - y) softplus(x) of each pair, y from 0 to 1; softplus(-x) is -log sigmoid(x)."""
    loss = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    # its gradient is sigmoid(x) - y, but in float32 its value is rounded like x, and 0 for easy negatives
    with torch.no_grad():
        exact = x.clamp(min=0) - x * y + torch.log1p(torch.exp(-x.abs()))
        correction = exact - loss
    return loss + correction


def balanced_loss(blocks: PairBlocks) -> Callable[[Block], Tensor]:
    """Mean over the texts of the mean over the ECGs that have it plus the mean over those that do not, as a sum."""
    positives, negatives = blocks.counts_per_text()
    counted = (positives > 0) & (negatives > 0)
    share = counted.to(positives) / counted.sum().clamp_min(1)
    of_positive, of_negative = share / positives.clamp_min(1), share / negatives.clamp_min(1)

    def terms(p: Block) -> Tensor:
        weight = torch.where(p.y > 0, of_positive[p.columns], of_negative[p.columns])
        return weight * sigmoid_loss(p.x, p.y)

    return terms


def softmax_loss(blocks: PairBlocks) -> Callable[[Block], Tensor]:
    """Half the cross-entropy of each ECG's texts, plus half that of each text's ECGs, as a sum over pairs.

    For p = softmax(x), log sum_j exp(x_j) = sum_j p_j (x_j - log p_j). No other p makes that larger, so that its
    gradient is right with p held fixed.
    """
    rows, columns = _lines(blocks)

    def terms(p: Block) -> Tensor:
        x, loss = p.t * p.c, torch.zeros_like(p.c)
        masked = _masked(x.detach(), p.known)
        for line, place, axis in (rows, p.rows, 1), (columns, p.columns, 0):
            normalizer, positives, weight = (value[place].unsqueeze(axis) for value in line)
            log_p = masked - normalizer
            loss = loss + weight * (log_p.exp() * (x - log_p) - p.y / positives * x)
        return loss / 2

    return terms


class _Lines(NamedTuple):
    """Of each row of all pairs, or of each column: log sum exp(x), number of positives or 1, weight in the mean."""

    normalizer: Tensor
    positives: Tensor
    weight: Tensor


@torch.no_grad()
def _lines(blocks: PairBlocks) -> tuple[_Lines, _Lines]:
    """Rows of this process's ECGs, and columns over the ECGs of all."""
    ecgs, texts = len(blocks.ecgs), len(blocks.texts)
    row, column = ((blocks.texts.new_full((size,), -torch.inf), blocks.texts.new_zeros(size)) for size in (ecgs, texts))
    for p in blocks:
        masked = _masked(p.t * p.c, p.known)
        for (normalizer, positives), place, axis in (row, p.rows, 1), (column, p.columns, 0):
            normalizer[place] = torch.logaddexp(normalizer[place], masked.logsumexp(axis))
            positives[place] += p.y.sum(axis)
    column = gather_rows(column[0][None]).logsumexp(0), total(column[1])
    counts = total((row[1] > 0).sum()), (column[1] > 0).sum()
    rows, columns = (
        _Lines(normalizer, positives.clamp_min(1), positives.clamp(max=1) / count.clamp_min(1))
        for (normalizer, positives), count in zip((row, column), counts, strict=True)
    )
    return rows, columns


def _masked(x: Tensor, known: Tensor) -> Tensor:
    """Logits that are very small where a pair is not known; -inf would leave a row of such pairs without a sum."""
    return x.masked_fill(known == 0, torch.finfo(x.dtype).min / 2)
