"""The reader's thresholds: one per feature and fold, from records that do not have the feature."""

import numpy as np

MIN_NEGATIVES = 30  # fewer incompatible records say nothing about a false-discovery rate of a few percent
MIN_STATED = 5  # reports that state the feature; a model that has hardly met a wording knows nothing about it
RECOGNIZED = 0.5  # share of them that must reach the threshold


class ScoreHistograms:
    """Scores of candidates and of records without the feature, counted per fold and feature on a grid of logits.

    ``negatives`` counts records that are known not to have the feature, ``normals`` those whose report calls the ECG
    normal; the latter are easier to tell from the candidates, and serve only where there are too few of the former.
    ``stated`` counts records whose report states the feature: a model that does not see it there does not know it.
    Counting takes the same memory for any number of records, and the order of the records does not matter.

    Parameters
    ----------
    folds, features
        Numbers of folds and of features.
    """

    LOW, HIGH, STEP = -120.0, 120.0, 0.05  # logits are t * cosine + b with t of at most 100

    def __init__(self, folds: int, features: int):
        self.edges = np.linspace(self.LOW, self.HIGH, round((self.HIGH - self.LOW) / self.STEP) + 1)
        shape = (folds, features, len(self.edges) - 1)
        self.candidates = np.zeros(shape, dtype=np.int64)
        self.negatives = np.zeros(shape, dtype=np.int64)
        self.normals = np.zeros(shape, dtype=np.int64)
        self.stated = np.zeros(shape, dtype=np.int64)

    def add(self, counts: np.ndarray, fold: np.ndarray, feature: np.ndarray, score: np.ndarray) -> None:
        """Count scores, arrays of one length, into one of the tables; NaN is left out."""
        known = ~np.isnan(score)
        bins = ((score[known].astype(np.float64) - self.LOW) / self.STEP).astype(np.int64)
        np.add.at(counts, (fold[known], feature[known], np.clip(bins, 0, counts.shape[2] - 1)), 1)

    def thresholds(self, target_fdr: float) -> np.ndarray:
        """Return the threshold per fold and feature, float32 of shape (folds, features).

        See ``fdr_threshold``. It is NaN where fewer than ``MIN_STATED`` reports state the feature, and infinite where
        fewer than the share ``RECOGNIZED`` of them would reach it.
        """
        shape = self.candidates.shape[:2]
        result = np.full(shape, np.nan, dtype=np.float32)
        for place in np.ndindex(*shape):
            negatives = self.negatives[place]
            if negatives.sum() < MIN_NEGATIVES:
                negatives = negatives + self.normals[place]
            stated = self.stated[place]
            if stated.sum() < MIN_STATED:
                continue
            limit = fdr_threshold(self.candidates[place], negatives, self.edges, target_fdr)
            known = stated[self.edges[:-1] >= limit].sum() / stated.sum()
            result[place] = limit if known >= RECOGNIZED or np.isnan(limit) else np.inf
        return result


def fdr_threshold(candidates: np.ndarray, negatives: np.ndarray, edges: np.ndarray, target_fdr: float) -> float:
    """Return the lowest threshold at which few enough of the accepted candidates are expected to be false.

    Scores of false candidates are taken to be distributed like those of records that are known not to have the
    feature. At a threshold t the expected share of false ones among the accepted candidates is then

        FDR(t) = pi0 * P(negative >= t) / P(candidate >= t)

    with pi0, the share of false candidates, estimated from the candidates below the median of the negatives
    (Storey 2002, J. R. Stat. Soc. B 64:479, with lambda at the median). The threshold is never within the lower half of
    the negatives, however few candidates are there.

    Parameters
    ----------
    candidates, negatives
        Counts of scores per bin.
    edges
        Edges of the bins, one more than there are bins.
    target_fdr
        Share of false features tolerated.

    Returns
    -------
    float
        A lower edge of a bin; infinity if no threshold is good enough; NaN if there are no candidates or fewer than
        ``MIN_NEGATIVES`` negatives.
    """
    total, known_false = candidates.sum(), negatives.sum()
    if known_false < MIN_NEGATIVES or not total:
        return float("nan")
    passing = candidates[::-1].cumsum()[::-1]
    # one more than counted: no negative above t among n seen does not mean that there is none
    false_rate = (negatives[::-1].cumsum()[::-1] + 1) / (known_false + 1)
    median = int(np.searchsorted(negatives.cumsum(), known_false / 2))
    below = negatives[: median + 1].sum() / known_false
    pi0 = min(1.0, candidates[: median + 1].sum() / (below * total))
    fdr = np.divide(pi0 * false_rate * total, passing, out=np.full(len(passing), np.inf), where=passing > 0)
    good = np.flatnonzero(fdr[median + 1 :] <= target_fdr)
    return float(edges[median + 1 + good[0]]) if good.size else float("inf")
