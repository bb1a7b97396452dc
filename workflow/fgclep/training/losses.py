r"""Contrastive losses between a batch of ECGs and the texts at hand.

With the cosine c_ij of ECG i and text j, the logit x_ij = t * c_ij + b, targets y_ij in {0, 1} (text j belongs to ECG
i), the semantic similarity S_ij in [0, 1] of text j to the report of ECG i, and B ECGs:

    siglip        L_sig = -1/B sum_ij log sigmoid((2 y_ij - 1) x_ij)                      (Zhai et al. 2023)
    fg_clep       L_sig + lambda * 1/B sum_ij |c_ij - S_ij|                               (FG-CLEP)
    soft_sigmoid  mean_ij [S_ij softplus(-x_ij) + (1 - S_ij) softplus(x_ij)]              (FOCAL)
    clip          cross-entropy over texts and over ECGs, targets shared among positives  (Radford et al. 2021)

-log sigmoid(x) = softplus(-x), which does not overflow. The published case is one text per ECG and y = identity.
In ``soft_sigmoid`` S_ij is 1 where y_ij = 1. In ``clip`` an ECG without a text at hand, or a text without an ECG, is
a row or column that is left out.

Likely false negatives, pairs with y_ij = 0 and S_ij above a threshold, can be masked: all sums and means then go over
the other pairs only.

No matrix of all pairs is ever held. Block by block, the loss and its gradients by the embeddings are computed together
(``clip`` needs the sums over rows and columns first, and goes over the blocks twice), so that the memory grows with
ECGs plus texts, not with their product. With several processes, each has its own ECGs and the same texts; sums go over
the ECGs of all, and the mean over the processes of the gradients is the gradient of the loss.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fgclep.training.distributed import gather_rows, process_count, total

LOSSES = ("fg_clep", "siglip", "soft_sigmoid", "clip")
BLOCK = 2**20  # cosines computed at once


class Pairs(Protocol):
    """What is known of the pairs of ECGs and texts: ``fgclep.training.text_batches.TextBatch``."""

    def block(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Targets and similarity of some ECGs and texts, both float32 of shape (rows, columns)."""


@dataclass(frozen=True)
class Objective:
    """Which loss, and its settings.

    Parameters
    ----------
    name
        One of ``LOSSES``.
    mitigation
        lambda, the weight of the false-negative mitigation in ``fg_clep`` (0.5 in the paper).
    mask_above
        Similarity above which a pair that is not matched is left out; ``None`` leaves none out.
    block
        Cosines computed at once; changes memory and speed only.

    Raises
    ------
    ValueError
        For an unknown name.
    """

    name: str
    mitigation: float = 0.5
    mask_above: float | None = None
    block: int = BLOCK

    def __post_init__(self) -> None:
        if self.name not in LOSSES:
            raise ValueError(f"unknown loss {self.name!r}; known are {', '.join(LOSSES)}")


class Logits(NamedTuple):
    """How embeddings become logits t * cosine + b.

    ``align`` maps ECGs and texts to their cosines, shape (ECGs, texts): ``FGCLEP.align``.
    """

    align: nn.Module
    temperature: Tensor
    bias: Tensor


def contrastive_loss(objective: Objective, ecgs: Tensor, texts: Tensor, pairs: Pairs, logits: Logits) -> Tensor:
    """Return the loss as a scalar, the same in every process.

    Parameters
    ----------
    ecgs
        Embeddings of this process's ECGs, shape (ECGs, ...).
    texts
        Embeddings of all texts, shape (texts, dimensions).
    pairs
        Gives targets and similarity of any block of ECGs and texts.
    """
    name, mitigation = objective.name, objective.mitigation
    align, temperature, bias = logits
    scales = [scale for scale in align.parameters() if scale.requires_grad]
    inputs = [ecgs, texts, temperature, bias, *scales]
    learning = torch.is_grad_enabled() and any(some.requires_grad for some in inputs)
    t, b = temperature.detach(), bias.detach()
    gradients = [torch.zeros_like(some) for some in inputs]
    blocks = _Blocks(ecgs.detach(), texts.detach(), pairs, align, objective.mask_above, objective.block)
    sums = _softmax_sums(blocks, t) if name == "clip" else None
    loss = torch.zeros((), dtype=torch.float64, device=ecgs.device)
    kept = torch.zeros_like(loss)
    for part in blocks(learning):
        cosine = part.cosine.detach()
        kept += part.counts.sum()
        if sums is not None:
            by_logit = _softmax_slopes(part, t * cosine, sums)
            by_cosine = t * by_logit
        else:
            x = t * cosine + b
            label = torch.maximum(part.similarity, part.targets) if name == "soft_sigmoid" else part.targets
            terms = label * F.softplus(-x) + (1 - label) * F.softplus(x)
            by_logit = (x.sigmoid() - label) * part.counts
            by_cosine = t * by_logit
            if name == "fg_clep":
                gap = cosine - part.similarity
                terms += mitigation * gap.abs()
                by_cosine += mitigation * gap.sign() * part.counts
            loss += (terms * part.counts).sum()
        if learning:
            found = torch.autograd.grad(part.cosine, [part.ecgs, part.texts, *scales], by_cosine)
            gradients[0][part.rows] += found[0]
            gradients[1][part.columns] += found[1]
            gradients[2] += (by_logit * cosine).sum()
            gradients[3] += by_logit.sum() * (name != "clip")
            for gradient, one in zip(gradients[4:], found[2:], strict=True):
                gradient += one
    if sums is not None:
        value, share = sums.loss(), torch.ones_like(loss)
    else:
        share = total(kept if name == "soft_sigmoid" else torch.full_like(loss, len(ecgs))).clamp_min(1)
        value = total(loss) / share
    if not learning:
        return value.to(ecgs)
    scale = (process_count() / share).to(ecgs)
    return _WithGradients.apply(value.to(ecgs), [gradient * scale for gradient in gradients], *inputs)


class _WithGradients(torch.autograd.Function):
    """A value whose gradients by the inputs are known."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor], *inputs: Tensor) -> Tensor:
        ctx.save_for_backward(*gradients)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple:
        return (None, None, *(outer[0] * gradient for gradient in ctx.saved_tensors))


class _Block(NamedTuple):
    """Some ECGs and texts; ``counts`` is 1 for the pairs that are not masked and 0 for the others."""

    rows: slice
    columns: slice
    ecgs: Tensor
    texts: Tensor
    cosine: Tensor
    targets: Tensor
    similarity: Tensor
    counts: Tensor


class _Blocks:
    """Cut all pairs into blocks of about ``size`` cosines, as many texts as ECGs unless there are fewer."""

    def __init__(
        self, ecgs: Tensor, texts: Tensor, pairs: Pairs, align: nn.Module, mask_above: float | None, size: int
    ):
        self.ecgs, self.texts, self.pairs, self.align, self.mask_above = ecgs, texts, pairs, align, mask_above
        most = max(1, size * texts.shape[1] // max(1, ecgs[:1].numel()))  # an ECG may have many vectors
        self.columns = min(len(texts), max(math.isqrt(most), most // max(len(ecgs), 1)))
        self.rows = max(1, most // self.columns)

    def __call__(self, learning: bool) -> Iterator[_Block]:
        """Yield the blocks, if ``learning`` with a graph from their ECGs and texts to the cosines."""
        for row in range(0, len(self.ecgs), self.rows):
            for column in range(0, len(self.texts), self.columns):
                rows, columns = slice(row, row + self.rows), slice(column, column + self.columns)
                some, others = self.ecgs[rows], self.texts[columns]
                if learning:
                    some, others = some.detach().requires_grad_(), others.detach().requires_grad_()
                cosine = self.align(some, others)
                targets, similarity = (
                    torch.from_numpy(part).to(self.texts) for part in self.pairs.block(rows, columns)
                )
                counts = torch.ones_like(targets)
                if self.mask_above is not None:
                    counts[(targets == 0) & (similarity > self.mask_above)] = 0
                yield _Block(rows, columns, some, others, cosine, targets, similarity, counts)


class _SoftmaxSums(NamedTuple):
    """Of each row and of each column over the ECGs of all processes.

    Log-sum-exp of the logits, sum of the positives' logits, number of positives; then the number of rows and of
    columns that have positives.
    """

    row: tuple[Tensor, Tensor, Tensor]
    column: tuple[Tensor, Tensor, Tensor]
    rows: Tensor
    columns: Tensor

    def loss(self) -> Tensor:
        """Half the mean over rows plus half the mean over columns of the cross-entropy."""
        (over_texts, over_ecgs) = (
            ((lse - matched / positives.clamp_min(1)) * (positives > 0)).sum(dtype=torch.float64)
            for lse, matched, positives in (self.row, self.column)
        )
        return (total(over_texts) / self.rows + over_ecgs / self.columns) / 2


def _masked(logits: Tensor, counts: Tensor) -> Tensor:
    """Logits that are very small where a pair is masked; -inf would leave a row of such pairs without a sum."""
    return logits.masked_fill(counts == 0, torch.finfo(logits.dtype).min / 2)


@torch.no_grad()
def _softmax_sums(blocks: _Blocks, temperature: Tensor) -> _SoftmaxSums:
    empty = torch.finfo(blocks.texts.dtype).min / 2
    row, column = (
        (blocks.texts.new_full((size,), empty), blocks.texts.new_zeros(size), blocks.texts.new_zeros(size))
        for size in (len(blocks.ecgs), len(blocks.texts))
    )
    for part in blocks(learning=False):
        logits = temperature * part.cosine.detach()
        masked = _masked(logits, part.counts)
        for (lse, matched, positives), place, axis in ((row, part.rows, 1), (column, part.columns, 0)):
            lse[place] = torch.logaddexp(lse[place], masked.logsumexp(axis))
            matched[place] += (logits * part.targets).sum(axis)
            positives[place] += part.targets.sum(axis)
    lse, matched, positives = column
    column = (gather_rows(lse[None]).logsumexp(0), total(matched), total(positives))
    rows, columns = total((row[2] > 0).sum()), (column[2] > 0).sum()
    return _SoftmaxSums(row, column, rows.clamp_min(1), columns.clamp_min(1))


def _softmax_slopes(part: _Block, logits: Tensor, sums: _SoftmaxSums) -> Tensor:
    """Gradient of the loss by the logits of a block."""
    masked, slopes = _masked(logits, part.counts), torch.zeros_like(logits)
    for (lse, _, positives), place, lines, axis in (
        (sums.row, part.rows, sums.rows, 1),
        (sums.column, part.columns, sums.columns, 0),
    ):
        lse, positives = lse[place].unsqueeze(axis), positives[place].unsqueeze(axis)
        shares = part.targets / positives.clamp_min(1)
        slopes += ((masked - lse).exp() - shares) * (positives > 0) / (2 * lines)
    return slopes
