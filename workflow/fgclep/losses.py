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

No matrix of all pairs is ever held: pairs are computed block by block, and again in the backward pass, so that the
memory grows with ECGs plus texts, not with their product. With several processes, each has its own ECGs and the same
texts; sums go over the ECGs of all, and the mean over the processes of the gradients is the gradient of the loss.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from fgclep.distributed import gather_rows, process_count, total

LOSSES = ("fg_clep", "siglip", "soft_sigmoid", "clip")
BLOCK = 2**20  # cosines computed at once


class Pairs(Protocol):
    """What is known of the pairs of ECGs and texts: ``fgclep.texts.TextBatch``."""

    def block(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Targets and similarity of some ECGs and texts, both float32 of shape (rows, columns)."""


def contrastive_loss(
    name: str,
    ecgs: Tensor,
    texts: Tensor,
    pairs: Pairs,
    align: Callable[[Tensor, Tensor], Tensor],
    temperature: Tensor,
    bias: Tensor,
    mitigation: float,
    mask_above: float | None = None,
    block: int = BLOCK,
) -> Tensor:
    """Return the loss ``name`` as a scalar, the same in every process.

    Parameters
    ----------
    ecgs
        Embeddings of this process's ECGs, shape (ECGs, ...).
    texts
        Embeddings of all texts, shape (texts, dimensions).
    pairs
        Gives targets and similarity of any block of ECGs and texts.
    align
        Maps embeddings of ECGs and texts to their cosines, shape (ECGs, texts): ``FGCLEP.align``.
    temperature, bias
        t and b of the logits; ``clip`` has no bias.
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
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}; known are {', '.join(LOSSES)}")

    def known(rows: slice, columns: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Targets, similarity, and which pairs count."""
        targets, similarity = (torch.from_numpy(part).to(texts) for part in pairs.block(rows, columns))
        if mask_above is None:
            return targets, similarity, torch.ones_like(targets)
        return targets, similarity, ((targets > 0) | (similarity <= mask_above)).to(texts)

    def sigmoid_sums(some: Tensor, others: Tensor, t: Tensor, b: Tensor, rows: slice, columns: slice) -> Tensor:
        """Sum of the terms of a block and the number of its pairs."""
        targets, similarity, counts = known(rows, columns)
        cosine = align(some, others)
        logits = t * cosine + b
        if name == "soft_sigmoid":
            soft = torch.maximum(similarity, targets)
            terms = soft * F.softplus(-logits) + (1 - soft) * F.softplus(logits)
        else:
            terms = F.softplus((1 - 2 * targets) * logits)
        if name == "fg_clep":
            terms = terms + mitigation * (cosine - similarity).abs()
        return torch.stack([(terms * counts).sum(), counts.sum()])

    def softmax_sums(some: Tensor, others: Tensor, t: Tensor, b: Tensor, rows: slice, columns: slice) -> Sums:
        """Of each row and of each column: log-sum-exp, sum of the positives' logits, number of positives."""
        targets, _, counts = known(rows, columns)
        logits = t * align(some, others)
        matched = logits * targets
        # -inf would make the gradient of a row without any pair undefined
        logits = logits.masked_fill(counts == 0, torch.finfo(logits.dtype).min / 2)
        return tuple(part for axis in (1, 0) for part in (logits.logsumexp(axis), matched.sum(axis), targets.sum(axis)))

    function = softmax_sums if name == "clip" else sigmoid_sums
    row_blocks, column_blocks = _block_sizes(ecgs, texts, block)
    several = len(ecgs) > row_blocks or len(texts) > column_blocks
    table: list[list] = []
    for row, some in enumerate(ecgs.split(row_blocks)):
        table.append([])
        for column, others in enumerate(texts.split(column_blocks)):
            rows = slice(row * row_blocks, row * row_blocks + len(some))
            columns = slice(column * column_blocks, column * column_blocks + len(others))
            arguments = (some, others, temperature, bias, rows, columns)
            table[-1].append(
                checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)
                if several
                else function(*arguments)
            )
    if name == "clip":
        return _global_value(_clip(table))
    sums = torch.stack([part for line in table for part in line]).sum(0)
    share = total(sums[1]) if name == "soft_sigmoid" else total(sums.new_tensor(len(ecgs)))
    return _global_value(process_count() * sums[0] / share.clamp_min(1))


Sums = tuple[Tensor, ...]


def _block_sizes(ecgs: Tensor, texts: Tensor, block: int) -> tuple[int, int]:
    """ECGs and texts per block: as many texts as ECGs, unless there are fewer."""
    pairs = max(1, block * texts.shape[1] // max(1, ecgs[:1].numel()))  # an ECG may have many vectors
    columns = min(len(texts), max(round(pairs**0.5), pairs // max(len(ecgs), 1), 1))
    return max(1, pairs // columns), columns


def _clip(table: list[list[Sums]]) -> Tensor:
    """Half the mean over rows plus half the mean over columns of the cross-entropy."""
    lse = torch.cat([torch.stack([part[0] for part in line]).logsumexp(0) for line in table])
    matched = torch.cat([torch.stack([part[1] for part in line]).sum(0) for line in table])
    positives = torch.cat([torch.stack([part[2] for part in line]).sum(0) for line in table])
    rows = positives > 0
    over_texts = (lse - matched / positives.clamp_min(1))[rows].sum() / total(rows.sum()).clamp_min(1)

    turned = list(zip(*table, strict=True))
    lse = torch.cat([torch.stack([part[3] for part in line]).logsumexp(0) for line in turned])
    matched = torch.cat([torch.stack([part[4] for part in line]).sum(0) for line in turned])
    positives = total(torch.cat([torch.stack([part[5] for part in line]).sum(0) for line in turned]))
    columns = positives > 0
    everywhere = gather_rows(lse[None]).logsumexp(0)
    matched = process_count() * matched / positives.clamp_min(1)
    over_ecgs = (everywhere - matched)[columns].mean() if columns.any() else 0 * everywhere.sum()
    return (process_count() * over_texts + over_ecgs) / 2


def _global_value(loss: Tensor) -> Tensor:
    """Return the mean of all processes' losses, with this process's gradient."""
    return loss if process_count() == 1 else loss + (total(loss) / process_count() - loss.detach())
