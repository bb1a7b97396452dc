"""The reader's thresholds: one per feature and fold, from records that hardly have the feature."""

from collections.abc import Sequence
from typing import Any

import numpy as np

MIN_NEGATIVES = 30  # fewer such records say nothing about a false-discovery rate of a few percent
MIN_STATED = 5  # reports that state the feature; a model that has hardly met a wording knows nothing about it
RECOGNIZED = 0.5  # share of them that must reach the threshold
MIN_EXAMINED = 20  # simulated ECGs that have a feature; a reader that has met fewer is not examined on it
MIN_TRUE = 10  # of those at or above a threshold


class ScoreHistograms:
    """Scores of candidates and of records without the feature, counted per fold and feature on a grid of logits.

    ``negatives`` counts records of which nothing speaks for the feature. A few have it unsaid, which makes the
    thresholds higher, not lower.
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
        self.stated = np.zeros(shape, dtype=np.int64)

    def add(self, counts: np.ndarray, fold: np.ndarray, feature: np.ndarray, score: np.ndarray) -> None:
        """Count scores, arrays of one length, into one of the tables; NaN is left out."""
        known = ~np.isnan(score)
        bins = ((score[known].astype(np.float64) - self.LOW) / self.STEP).astype(np.int64)
        np.add.at(counts, (fold[known], feature[known], np.clip(bins, 0, counts.shape[2] - 1)), 1)

    def thresholds(self, target_fdr: float, examined: np.ndarray | None = None) -> np.ndarray:
        """Return the threshold per fold and feature, float32 of shape (folds, features).

        Without an exam it is that of ``fdr_threshold``, NaN where fewer than ``MIN_STATED`` reports state the feature,
        and infinite where fewer than the share ``RECOGNIZED`` of them would reach it.

        Parameters
        ----------
        target_fdr
            Share of false features tolerated.
        examined
            Shape (features,): threshold of each feature by the exam of the reader, NaN where it failed to be examined.
            Then the threshold is the higher one of this and of ``fdr_threshold``, where the latter can be had.
        """
        shape = self.candidates.shape[:2]
        result = np.full(shape, np.nan, dtype=np.float32)
        for place in np.ndindex(*shape):
            limit = fdr_threshold(self.candidates[place], self.negatives[place], self.edges, target_fdr)
            if examined is None:
                result[place] = self._if_recognized(limit, self.stated[place])
            elif not np.isnan(least := examined[place[1]]):
                result[place] = np.fmax(limit, least)
        return result

    def _if_recognized(self, limit: float, stated: np.ndarray) -> float:
        if stated.sum() < MIN_STATED or np.isnan(limit):
            return float("nan")
        known = stated[self.edges[:-1] >= limit].sum() / stated.sum()
        return limit if known >= RECOGNIZED else float("inf")


def fdr_threshold(candidates: np.ndarray, negatives: np.ndarray, edges: np.ndarray, target_fdr: float) -> float:
    """Return the lowest threshold at which few enough of the accepted candidates are expected to be false.

    Scores of false candidates are taken to be distributed like those of records of which nothing speaks for the
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


def exam_rows(features: Sequence[str], scores: np.ndarray, true: np.ndarray, target_fdr: float) -> list[dict[str, Any]]:
    """Examine a reader on ECGs of which every feature is known.

    The threshold is the lowest logit from which on at most the share ``target_fdr`` of the ECGs does not have the
    feature, and never below 0, where the reader itself thinks it absent.

    Parameters
    ----------
    features
        Names of the columns.
    scores
        Logits, shape (ECGs, features).
    true
        bool of that shape.
    target_fdr
        Share of false features tolerated.

    Returns
    -------
    list of dict
        Rows of the schema ``EXAM``.
    """
    rows: list[dict[str, Any]] = []
    for column, name in enumerate(features):
        has, score = true[:, column], scores[:, column]
        row: dict[str, Any] = {"feature": name, "ecgs": int(has.sum()), "auroc": None, "threshold": None}
        if MIN_EXAMINED <= has.sum() <= len(has) - MIN_EXAMINED:
            order = np.argsort(-score, kind="stable")
            found, count = has[order].cumsum(), np.arange(1, len(order) + 1)
            last = np.append(np.diff(score[order]) != 0, True)  # of equal scores
            # by the trapezoids under the curve, so that equal scores count half
            right = np.append(0, found[last])
            wrong = np.append(0, count[last]) - right
            row["auroc"] = float(np.sum(np.diff(wrong) * (right[1:] + right[:-1]) / 2) / (right[-1] * wrong[-1]))
            good = np.flatnonzero(last & (found >= (1 - target_fdr) * count) & (found >= MIN_TRUE))
            row["threshold"] = max(0.0, float(score[order][good[-1]])) if good.size else float("inf")
        rows.append(row)
    return rows
