"""How the values of S are distributed, counted block by block.

Two ways of counting stand beside each other. *Distinct*: every pair of different texts once. *Drawn*: every pair as
often as training meets it, which draws an ECG and the text of another one: the product of the numbers of reports that
have the one and the other text.

An ECG with text a meets text b as a negative unless b belongs to it, that is, unless a names all findings of b (see
``fgclep.texts``). Administrative remarks, which never reach a model, are left out.
"""

from collections.abc import Sequence

import numpy as np

from fgclep.similarity.findings import TextFindings

BINS = 20
# float16 has so many values in [0, 1], in the order of their bits: their distribution is counted exactly.
VALUES = int(np.float16(1).view(np.uint16)) + 1
_SIZES = np.arange(VALUES, dtype=np.uint16).view(np.float16).astype(np.float64)
BELONGS, SHARES, APART, LEFT_OUT = range(4)


class Summary:
    """Distribution of S over pairs of different texts.

    Parameters
    ----------
    findings
        Of all texts.
    counts
        Number of reports that have each text, shape (texts,).
    """

    def __init__(self, findings: TextFindings, counts: Sequence[int] | np.ndarray):
        self.findings = findings
        self._counts = np.asarray(counts, dtype=np.float64)
        self._named = np.diff(findings.sets.indptr)
        self._columns = findings.sets.T.tocsc()
        self._distinct = np.zeros((LEFT_OUT + 1, VALUES))
        self._drawn = np.zeros((LEFT_OUT + 1, VALUES))
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
            place = self._kinds(own, others).astype(np.intp) * VALUES
            place += block[:, others].view(np.uint16)
            weights = self._counts[own, None] * self._counts[others]
            size = self._distinct.size
            self._distinct += np.bincount(place.ravel(), minlength=size).reshape(self._distinct.shape)
            self._drawn += np.bincount(place.ravel(), weights.ravel(), size).reshape(self._drawn.shape)

    def add_dropped(self, values: np.ndarray) -> None:
        """Count those above 0.5 among float16 values that a sparse matrix does not keep."""
        self._dropped += int((values.view(np.uint16) > np.float16(0.5).view(np.uint16)).sum())

    def _kinds(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        shared = (self.findings.sets[rows] @ self._columns[:, columns]).toarray()
        kinds = np.full(shared.shape, APART, dtype=np.uint8)
        kinds[shared > 0] = SHARES
        kinds[(shared == self._named[columns]) & (shared > 0)] = BELONGS
        kinds[(rows[:, None] == columns) | ~self.findings.usable[rows, None] | ~self.findings.usable[columns]] = (
            LEFT_OUT
        )
        return kinds

    def result(self) -> dict:
        """Return the description.

        Returns
        -------
        dict
            ``texts``: number of texts that count. ``distinct`` and ``drawn``, each with ``histogram`` (20 bins over
            [0, 1]: ``edges``, ``counts`` of pairs), ``mean``, ``p10``, ``p50``, ``p95``, ``share_above_half``,
            ``negatives_above_half`` (the same among negatives) and ``mean_without_shared_finding``; null where there
            is no such pair. ``dropped_above_half``: pairs above 0.5 that a sparse matrix does not keep.
        """
        return {
            "texts": int(self.findings.usable.sum()),
            "distinct": _describe(self._distinct),
            "drawn": _describe(self._drawn),
            "dropped_above_half": self._dropped // 2,
        }


def _describe(counts: np.ndarray) -> dict:
    """Describe how often each value occurs by kind of pair; all pairs are counted from both sides."""
    everything = counts[:LEFT_OUT].sum(axis=0)
    edges = np.linspace(0, 1, BINS + 1)
    histogram, _ = np.histogram(_SIZES, edges, weights=everything / 2)
    return {
        "histogram": {"edges": [round(float(e), 2) for e in edges], "counts": [round(float(n)) for n in histogram]},
        "mean": _mean(everything),
        **{name: _quantile(everything, share) for name, share in (("p10", 0.1), ("p50", 0.5), ("p95", 0.95))},
        "share_above_half": _above_half(everything),
        "negatives_above_half": _above_half(counts[[SHARES, APART]].sum(axis=0)),
        "mean_without_shared_finding": _mean(counts[APART]),
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
