"""What the processes of a distributed training exchange; with one process every function returns its input.

Each process holds its own ECGs, and all are compared with the union of all texts. Each encodes its share of the union
and gets the others' embeddings by ``gather_rows``, whose backward pass returns the gradients to where they belong.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist

from fgclep.ragged import Ragged
from fgclep.training.text_batches import TextBatch


def process_count() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def process_number() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        summed = value.clone()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _Total.apply(gradients[0])


def total(value: Tensor) -> Tensor:
    """Sum over the processes.

    The gradient of a process's value is the sum of what all processes make of the total.
    """
    return _Total.apply(value) if process_count() > 1 else value


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        gathered = [torch.empty_like(rows) for _ in range(process_count())]
        dist.all_gather(gathered, rows.contiguous())
        return torch.cat(gathered)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].contiguous().clone()
        dist.all_reduce(gradient)
        return gradient.chunk(process_count())[process_number()]


def gather_rows(rows: Tensor) -> Tensor:
    """Rows (n, ...) of all processes in their order, (processes * n, ...); n is the same in each.

    The gradient of a row is the sum of what all processes make of it.
    """
    return _GatherRows.apply(rows) if process_count() > 1 else rows


def share_of(texts: int) -> np.ndarray:
    """Return which of ``texts`` this process encodes: equally many in each process, starting anew after the last.

    ``gather_rows(encoded)[:texts]`` are then all of them in order.
    """
    each = -(-texts // process_count())
    return (process_number() * each + np.arange(each)) % texts


def union_of_texts(batch: TextBatch, device: torch.device) -> TextBatch:
    """Return the ECGs of this process beside the distinct texts of all processes."""
    if process_count() == 1:
        return batch
    keys = Ragged.of(batch.keys)
    lengths, values = (_gather_uneven(part, device) for part in (keys.lengths, keys.values))
    everywhere = set()
    for some_lengths, some_values in zip(lengths, values, strict=True):
        some = Ragged(some_values, np.concatenate([[0], np.cumsum(some_lengths)]))
        everywhere |= {tuple(some[row].tolist()) for row in range(len(some))}
    return batch.with_keys(everywhere)


def _gather_uneven(values: np.ndarray, device: torch.device) -> list[np.ndarray]:
    """Whole numbers of all processes, of which each may have another number."""
    mine = torch.tensor([len(values)], device=device)
    counts = gather_rows(mine).tolist()
    padded = torch.zeros(max(counts), dtype=torch.long, device=device)
    padded[: len(values)] = torch.from_numpy(values)
    rows = gather_rows(padded).cpu().numpy().reshape(len(counts), -1)
    return [row[:count] for row, count in zip(rows, counts, strict=True)]
