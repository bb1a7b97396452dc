"""How similar a set of texts is to a text, and to another set: reports as the sets of their statements."""

import numpy as np
from scipy.sparse import csr_array

from fgclep.ragged import Ragged


def largest(table: np.ndarray, sets: Ragged) -> np.ndarray:
    """Elementwise maximum over the rows of ``table`` that each set names, shape (sets, columns of the table).

    Of S between texts: the similarity of each set to each single text. No set may be empty.
    """
    places = sets.columns()
    result = table[places[0]]
    for some in places[1:]:
        np.maximum(result, table[some], out=result)
    return result


def soft_overlap(similarity: np.ndarray, left: Ragged, right: Ragged) -> np.ndarray:
    """Mean, over the texts of two sets, of the largest similarity to a text of the other set.

    Parameters
    ----------
    similarity
        S between the texts of the one side and of the other, float32 of shape (left texts, right texts).
    left, right
        Sets of places among the rows, and among the columns, of ``similarity``; none is empty.

    Returns
    -------
    numpy.ndarray
        Values in [0, 1], float64 of shape (left sets, right sets).

    Examples
    --------
    >>> similarity = np.array([[0.5, 0.0], [0.25, 1.0]], dtype=np.float32)
    >>> soft_overlap(similarity, Ragged.of([[0], [0, 1]]), Ragged.of([[0, 1]])).round(4)
    array([[0.3333],
           [0.75  ]])
    """
    # best of each text on one side in each set on the other, then summed over the texts of the set
    to_right = _sums(left, largest(similarity.T, right).T)
    to_left = _sums(right, largest(similarity, left).T)
    return (to_right + to_left.T) / (left.lengths[:, None] + right.lengths)


def _sums(sets: Ragged, table: np.ndarray) -> np.ndarray:
    """For each set the sum over the rows of ``table`` that it names."""
    ones = np.ones(len(sets.values), dtype=np.float32)
    return csr_array((ones, sets.values, sets.bounds), shape=(len(sets), len(table))) @ table
