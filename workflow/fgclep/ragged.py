"""Lists of whole numbers of different lengths in one array."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Lists one after another: list i is ``values[bounds[i] : bounds[i + 1]]``.

    >>> some = Ragged.of([[3, 1], [2]])
    >>> some.values.tolist(), some.bounds.tolist(), some[1].tolist()
    ([3, 1, 2], [0, 2, 3], [2])
    """

    values: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, lists: Sequence[Sequence[int] | np.ndarray]) -> "Ragged":
        """Join lists."""
        lengths = np.fromiter((len(one) for one in lists), np.int64, len(lists))
        values = np.concatenate([np.asarray(one, dtype=np.int64) for one in lists]) if lists else np.empty(0, np.int64)
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, place: int) -> np.ndarray:
        return self.values[self.bounds[place] : self.bounds[place + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Length of each list."""
        return np.diff(self.bounds)

    @property
    def owners(self) -> np.ndarray:
        """For each value the number of the list that it is in."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, places: np.ndarray | slice) -> "Ragged":
        """Return the lists at ``places``."""
        starts, lengths = self.bounds[:-1][places], self.lengths[places]
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(bounds[-1]) - np.repeat(bounds[:-1], lengths)
        return Ragged(self.values[np.repeat(starts, lengths) + within], bounds)

    def columns(self) -> np.ndarray:
        """Return the lists as columns, shape (longest, lists), short ones filled up with their first value.

        For the largest or smallest over each list, where a value may count twice. Every list must hold a value.
        """
        place = np.arange(self.lengths.max(initial=0))[:, None]
        return self.values[np.where(place < self.lengths, self.bounds[:-1] + place, self.bounds[:-1])]
