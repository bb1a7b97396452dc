"""Sums over all pairs of ECGs and texts, with gradients, of which no matrix is ever held.

The pairs are cut into blocks. The sum over a block and, by autograd, its gradients by the embeddings are computed
together; then the block is forgotten. Memory so grows with ECGs plus texts, not with their product, and no block is
computed twice, as it would be by ``torch.utils.checkpoint``: most of the time goes into looking up its similarity.

With several processes, each has its own ECGs and the same texts. Sums go over the ECGs of all, and the mean over the
processes of their gradients is the gradient of the sum.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from fgclep.training.distributed import total

BLOCK = 2**20  # cosines computed at once


class Pairs(Protocol):
    """What is known of the pairs of ECGs and texts: ``fgclep.training.text_batches.TextBatch``."""

    def targets(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Targets of some ECGs and texts, and which of them are known, both float32 of shape (rows, columns)."""

    def similarity(self, rows: slice, columns: slice) -> np.ndarray:
        """Similarity of some ECGs' reports and texts, float32 of shape (rows, columns)."""


class Logits(NamedTuple):
    """How embeddings become logits t * cosine + b.

    ``align`` maps ECGs and texts to their cosines, shape (ECGs, texts): ``FGCLEP.align``.
    """

    align: nn.Module
    temperature: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Block:
    """The pairs of some ECGs and texts, in the letters of ``fgclep.training.losses``; all but t and b (rows, columns).

    ``known`` is 1 for the pairs that count and 0 for the others, of which y is 0.
    """

    rows: slice
    columns: slice
    c: Tensor
    y: Tensor
    known: Tensor
    t: Tensor
    b: Tensor
    pairs: Pairs

    @property
    def x(self) -> Tensor:
        """Logits."""
        return self.t * self.c + self.b

    @property
    def S(self) -> Tensor:
        """Similarity, 1 where y is; looked up only for the losses that need it, as it takes longer than they do."""
        return torch.maximum(torch.from_numpy(self.pairs.similarity(self.rows, self.columns)).to(self.y), self.y)


@dataclass(frozen=True)
class PairBlocks:
    """All pairs of ECGs and texts, in blocks of about ``size``, as many texts as ECGs unless there are fewer.

    Parameters
    ----------
    ecgs
        Embeddings of this process's ECGs, shape (ECGs, ...).
    texts
        Embeddings of all texts, shape (texts, dimensions).
    pairs
        Gives targets and similarity of any block of ECGs and texts.
    """

    ecgs: Tensor
    texts: Tensor
    pairs: Pairs
    logits: Logits
    size: int = BLOCK

    @property
    def B(self) -> Tensor:
        """ECGs of all processes."""
        return total(torch.tensor(len(self.ecgs), dtype=torch.float64, device=self.texts.device)).clamp_min(1)

    def sum(self, terms: Callable[[Block], Tensor]) -> Tensor:
        """Sum of ``terms`` over the known pairs of all processes, float64."""
        return total(self._sum(terms)[0])

    def mean(self, terms: Callable[[Block], Tensor]) -> Tensor:
        """Mean of ``terms`` over the known pairs of all processes, float64."""
        value, known = self._sum(terms)
        return total(value) / total(known).clamp_min(1)

    def _sum(self, terms: Callable[[Block], Tensor]) -> tuple[Tensor, Tensor]:
        """Sum over the known pairs of this process, and their number."""
        align, temperature, bias = self.logits
        scales = [scale for scale in align.parameters() if scale.requires_grad]
        inputs = [self.ecgs, self.texts, temperature, bias, *scales]
        learning = torch.is_grad_enabled() and any(some.requires_grad for some in inputs)
        gradients = [torch.zeros_like(some) for some in inputs]
        value, known = torch.zeros(2, dtype=torch.float64, device=self.texts.device)
        for rows, columns in self._places():
            parts = [self.ecgs[rows], self.texts[columns], temperature, bias]
            leaves = [part.detach().requires_grad_(learning) for part in parts]
            block = self._block(rows, columns, *leaves)
            of_block = (terms(block) * block.known).sum()
            value += of_block.detach()
            known += block.known.sum()
            if learning:
                found = torch.autograd.grad(of_block, [*leaves, *scales], allow_unused=True, materialize_grads=True)
                places = [gradients[0][rows], gradients[1][columns], *gradients[2:]]
                for gradient, one in zip(places, found, strict=True):
                    gradient += one
        return (_WithGradients.apply(value, gradients, *inputs) if learning else value), known

    @torch.no_grad()
    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks, without gradients."""
        for rows, columns in self._places():
            inputs = self.ecgs[rows], self.texts[columns], self.logits.temperature, self.logits.bias
            yield self._block(rows, columns, *(some.detach() for some in inputs))

    def _places(self) -> Iterator[tuple[slice, slice]]:
        most = max(1, self.size * self.texts.shape[1] // max(1, self.ecgs[:1].numel()))  # an ECG may have many vectors
        width = min(len(self.texts), max(math.isqrt(most), most // max(len(self.ecgs), 1)))
        height = max(1, most // width)
        for row in range(0, len(self.ecgs), height):
            for column in range(0, len(self.texts), width):
                yield slice(row, row + height), slice(column, column + width)

    def _block(self, rows: slice, columns: slice, ecgs: Tensor, texts: Tensor, t: Tensor, b: Tensor) -> Block:
        y, known = self._targets(rows, columns)
        return Block(rows, columns, self.logits.align(ecgs, texts), y, known, t, b, self.pairs)

    def _targets(self, rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
        y, known = (torch.from_numpy(part).to(self.texts) for part in self.pairs.targets(rows, columns))
        return y, known

    @torch.no_grad()
    def counts_per_text(self) -> tuple[Tensor, Tensor]:
        """How many ECGs of all processes have each text, and of how many it is known that they do not."""
        positives, negatives = self.texts.new_zeros(2, len(self.texts))
        for rows, columns in self._places():
            y, known = self._targets(rows, columns)
            positives[columns] += y.sum(0)
            negatives[columns] += (known - y).sum(0)
        return total(positives), total(negatives)


class _WithGradients(torch.autograd.Function):
    """A value whose gradients by the inputs are known."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor], *inputs: Tensor) -> Tensor:
        ctx.save_for_backward(*gradients)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple:
        return (None, None, *(outer[0].to(gradient) * gradient for gradient in ctx.saved_tensors))
