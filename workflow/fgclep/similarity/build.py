"""Writing S row block by row block: the memory that this takes does not depend on the number of texts.

Dense, every entry is kept as float16. Sparse, an entry is kept if it is above 0 and one of its two texts has the other
among its nearest; so S stays symmetric, and a row has as many neighbours as asked for or more. Among equally similar
texts the one with the smaller text id is nearer: texts are numbered by falling count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from fgclep.files import whole_folder
from fgclep.npy import NpyWriter
from fgclep.progress import progress
from fgclep.similarity.matrix import BOUNDS, DENSE, NEIGHBORS, VALUES
from fgclep.similarity.summary import Summary

# Entries of a row block, and columns that are computed at a time.
ENTRIES = 2**22
COLUMNS = 4096


class Source(Protocol):
    """What S is made from."""

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return S between texts, float32 of shape (rows, columns); the diagonal is not looked at."""


class IdentitySimilarity:
    """1 for the same text, else 0."""

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return S between texts, float32 of shape (rows, columns)."""
        return (rows[:, None] == columns).astype(np.float32)


def row_blocks(
    source: Source, texts: int, what: str, entries: int = ENTRIES
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the text ids of some rows and their S, float16 of shape (rows, texts), with 1 on the diagonal.

    Parameters
    ----------
    source
        Where S comes from.
    texts
        Number of texts.
    what
        Description for the progress bar.
    entries
        Entries of a block at most, if a row has not more.
    """
    rows = max(1, entries // max(texts, 1))
    starts = range(0, texts, rows)
    for start in progress(starts, len(starts), what, "block"):
        own = np.arange(start, min(start + rows, texts))
        block = np.empty((len(own), texts), dtype=np.float16)
        for first in range(0, texts, COLUMNS):
            columns = np.arange(first, min(first + COLUMNS, texts))
            block[:, columns] = source.block(own, columns)
        block[np.arange(len(own)), own] = 1
        yield own, block


@dataclass(frozen=True)
class Nearest:
    """Where the nearest texts of every text end.

    Parameters
    ----------
    limit
        Similarity of each text to the last of its nearest, as the bits of a float16, which rise with the value and are
        quicker to compare; shape (texts,).
    last
        Text id of that one, shape (texts,).
    """

    limit: np.ndarray
    last: np.ndarray

    def keep(self, own: np.ndarray, block: np.ndarray) -> np.ndarray:
        """Whether each entry of a row block is kept, bool of shape (rows, texts)."""
        bits = block.view(np.uint16)
        kept = bits > self.limit[own, None]
        kept |= (bits == self.limit[own, None]) & (np.arange(block.shape[1]) <= self.last[own, None])
        kept |= bits > self.limit
        kept |= (bits == self.limit) & (own[:, None] <= self.last)
        kept &= bits > 0
        return kept


def nearest(source: Source, texts: int, neighbors: int, entries: int) -> Nearest:
    """Find where the ``neighbors`` nearest of every text end; a text is no neighbour of its own."""
    if neighbors >= texts - 1:
        return Nearest(np.zeros(texts, dtype=np.uint16), np.full(texts, texts))
    limit, last = np.empty(texts, dtype=np.uint16), np.empty(texts, dtype=np.int64)
    for own, block in row_blocks(source, texts, "nearest texts", entries):
        bits = block.view(np.uint16)
        bits[np.arange(len(own)), own] = 0
        limit[own] = np.partition(bits, texts - neighbors, axis=1)[:, texts - neighbors]
        missing = neighbors - (bits > limit[own, None]).sum(axis=1)
        equal = (bits == limit[own, None]).cumsum(axis=1, dtype=np.int32)
        last[own] = (equal == missing[:, None]).argmax(axis=1)
    return Nearest(limit, last)


def write_similarity(
    source: Source, texts: int, folder: Path, neighbors: int | None, summary: Summary, entries: int = ENTRIES
) -> None:
    """Write S into a folder for ``SimilarityMatrix.open``, and describe it.

    Parameters
    ----------
    source
        Where S comes from.
    texts
        Number of texts.
    folder
        Appears when it is complete.
    neighbors
        ``None``: dense. Else sparse, with at least so many nearest texts in a row.
    summary
        Is given every row.
    entries
        Entries of a block.
    """
    with whole_folder(folder) as partial:
        if neighbors is None:
            with NpyWriter(partial / DENSE, np.float16, (texts,)) as matrix:
                for own, block in row_blocks(source, texts, "similarity", entries):
                    matrix.append(block)
                    summary.add(own, block)
        else:
            _write_sparse(source, texts, partial, nearest(source, texts, neighbors, entries), summary, entries)


def _write_sparse(source: Source, texts: int, folder: Path, limits: Nearest, summary: Summary, entries: int) -> None:
    with (
        NpyWriter(folder / VALUES, np.float16) as values,
        NpyWriter(folder / NEIGHBORS, np.int32) as ids,
        NpyWriter(folder / BOUNDS, np.int64) as bounds,
    ):
        bounds.append(np.zeros(1))
        for own, block in row_blocks(source, texts, "similarity", entries):
            kept = limits.keep(own, block)
            kept[np.arange(len(own)), own] = True
            bounds.append(values.rows + kept.sum(axis=1).cumsum())
            values.append(block[kept])
            ids.append(np.nonzero(kept)[1])
            summary.add_dropped(block[~kept])
            block[~kept] = 0
            summary.add(own, block)
