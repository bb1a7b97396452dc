"""How the values of S are distributed.

A pair is an ECG with its report, and a text of another ECG. The text is a negative of the ECG unless it belongs to it,
that is, unless the report names all findings of the text (see ``fgclep.training.text_batches``). For all pairs of
distinct texts, each text stands for a report of its own; administrative remarks, which never reach a model, are left
out.
"""

import numpy as np

from fgclep.similarity.findings import TextFindings

BINS = 20
# float16 has so many values in [0, 1], in the order of their bits: their distribution is counted exactly.
VALUES = int(np.float16(1).view(np.uint16)) + 1
_SIZES = np.arange(VALUES, dtype=np.uint16).view(np.float16).astype(np.float64)
# Kinds of pairs: the text belongs to the ECG; some finding is in common; none is; no pair of this kind of counting.
BELONGS, SHARES, APART, LEFT_OUT = range(4)


class Distribution:
    """How often each value of S occurs in pairs of each kind."""

    def __init__(self) -> None:
        self._counts = np.zeros((LEFT_OUT + 1, VALUES), dtype=np.int64)

    def add(self, kinds: np.ndarray, values: np.ndarray) -> None:
        """Count pairs: their kinds, and their S as float16, arrays of one shape."""
        place = kinds.astype(np.intp) * VALUES
        place += values.view(np.uint16)
        self._counts += np.bincount(place.ravel(), minlength=self._counts.size).reshape(self._counts.shape)

    def describe(self) -> dict:
        """Return the description.

        Returns
        -------
        dict
            ``histogram`` (20 bins over [0, 1]: ``edges``, ``counts`` of pairs), ``mean``, ``p10``, ``p50``, ``p95``,
            ``share_above_half``, ``negatives_above_half`` (the same among negatives) and
            ``mean_without_shared_finding``; null where there is no such pair.
        """
        pairs = self._counts[:LEFT_OUT].sum(axis=0)
        edges = np.linspace(0, 1, BINS + 1)
        histogram, _ = np.histogram(_SIZES, edges, weights=pairs)
        return {
            "histogram": {"edges": [round(float(e), 2) for e in edges], "counts": [int(n) for n in histogram]},
            "mean": _mean(pairs),
            **{name: _quantile(pairs, share) for name, share in (("p10", 0.1), ("p50", 0.5), ("p95", 0.95))},
            "share_above_half": _above_half(pairs),
            "negatives_above_half": _above_half(self._counts[[SHARES, APART]].sum(axis=0)),
            "mean_without_shared_finding": _mean(self._counts[APART]),
        }


class Summary:
    """Distribution of S over all ordered pairs of distinct texts.

    Parameters
    ----------
    findings
        Of all texts.
    """

    def __init__(self, findings: TextFindings):
        self.findings = findings
        self._named = np.diff(findings.sets.indptr)
        self._columns = findings.sets.T.tocsc()
        self._pairs = Distribution()
        self._dropped = 0

    def add(self, own: np.ndarray, block: np.ndarray, columns: int = 4096) -> None:
        """Count rows of S.

        Parameters
        ----------
        own
            Text ids of the rows.
        block
            Their S, float16 of shape (rows, texts).
        columns
            How many are counted at a time.
        """
        for start in range(0, block.shape[1], columns):
            others = np.arange(start, min(start + columns, block.shape[1]))
            self._pairs.add(self._kinds(own, others), block[:, others])

    def add_dropped(self, values: np.ndarray) -> None:
        """Count those above 0.5 among float16 values that a sparse matrix does not keep."""
        self._dropped += int((values.view(np.uint16) > np.float16(0.5).view(np.uint16)).sum())

    def _kinds(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        shared = (self.findings.sets[rows] @ self._columns[:, columns]).toarray()
        kinds = np.full(shared.shape, APART, dtype=np.uint8)
        kinds[shared > 0] = SHARES
        kinds[(shared == self._named[columns]) & (shared > 0)] = BELONGS
        usable = self.findings.usable
        kinds[~(usable[rows, None] & usable[columns]) | (rows[:, None] == columns)] = LEFT_OUT
        return kinds

    def result(self) -> dict:
        """Return the description.

        Returns
        -------
        dict
            ``texts``: how many count. ``distinct``: their pairs, each from both sides (see ``Distribution.describe``).
            ``dropped_above_half``: pairs above 0.5 that a sparse matrix does not keep.
        """
        return {
            "texts": int(self.findings.usable.sum()),
            "distinct": self._pairs.describe(),
            "dropped_above_half": self._dropped // 2,
        }


def _mean(counts: np.ndarray) -> float | None:
    return float(counts @ _SIZES / counts.sum()) if counts.any() else None


def _above_half(counts: np.ndarray) -> float | None:
    return float(counts[_SIZES > 0.5].sum() / counts.sum()) if counts.any() else None


def _quantile(counts: np.ndarray, share: float) -> float | None:
    """Return the smallest value that at least the share of the pairs does not exceed."""
    if not counts.any():
        return None
    return float(_SIZES[np.searchsorted(counts.cumsum(), share * counts.sum())])
