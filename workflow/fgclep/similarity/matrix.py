"""S as it lies on disk, dense or sparse, and the one way to look it up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from fgclep.errors import damaged

DENSE = "dense.npy"
VALUES, NEIGHBORS, BOUNDS = "values.npy", "neighbors.npy", "bounds.npy"


class SimilarityMatrix:
    """Similarity between texts by text id, in [0, 1], symmetric, 1 on the diagonal.

    Parameters
    ----------
    values
        Dense: S, shape (texts, texts). Sparse: the entries of all rows in turn, shape (entries,).
    neighbors
        Sparse: the text id of each entry, rising within a row, shape (entries,); entries that are not there are 0.
    bounds
        Sparse: where each row starts among the entries, and their number at the end, shape (texts + 1,).

    Examples
    --------
    >>> SimilarityMatrix(np.eye(3)).block([0, 2], [2, 1, 0])
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """

    def __init__(self, values: np.ndarray, neighbors: np.ndarray | None = None, bounds: np.ndarray | None = None):
        self.values, self.neighbors, self.bounds = values, neighbors, bounds
        texts = len(values) if bounds is None else len(bounds) - 1
        self.shape = (texts, texts)
        if bounds is None and values.shape != self.shape:
            raise ValueError(f"a similarity matrix is square, this one has shape {values.shape}")

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open what ``fgclep.similarity.build`` has written; the arrays are memory-mapped."""
        folder = Path(folder)
        names = [DENSE] if (folder / DENSE).exists() else [VALUES, NEIGHBORS, BOUNDS]
        return cls(*(_mapped(folder / name) for name in names))

    def block(self, rows: Sequence[int] | np.ndarray, columns: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return S between two lists of text ids, float32 of shape (rows, columns)."""
        rows, columns = np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64)
        if self.neighbors is None or self.bounds is None:
            return np.asarray(self.values[rows[:, None], columns], dtype=np.float32)
        wanted, place = np.unique(columns, return_inverse=True)
        result = np.zeros((len(rows), len(wanted)), dtype=np.float32)
        for number, row in enumerate(rows):
            entries = slice(self.bounds[row], self.bounds[row + 1])
            neighbors = self.neighbors[entries]
            at = np.searchsorted(neighbors, wanted)
            found = at < len(neighbors)
            found[found] = neighbors[at[found]] == wanted[found]
            result[number, found] = self.values[entries][at[found]]
        return result[:, place]


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise damaged(path.parent, f"{path.name}: {error}") from error
