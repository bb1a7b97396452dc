"""Area under the ROC and the precision-recall curve, per class and averaged, with bootstrap intervals over patients.

Both areas are computed from weighted counts, for all resamples at once: a bootstrap resample of patients is a vector
of weights, how often each record's patient was drawn.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

METRIC_NAMES = ("auroc", "auprc")
INTERVAL = (2.5, 97.5)  # percentiles
_RESAMPLES_AT_ONCE = 250  # bounds the memory


def areas(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """AUROC and average precision of one class under many weightings of the records.

    Parameters
    ----------
    scores
        Shape (n,); higher means more likely positive. Ties count half in the AUROC.
    labels
        Shape (n,), bool.
    weights
        Shape (n, resamples), not negative.

    Returns
    -------
    Shape (2, resamples), float64: AUROC (Mann-Whitney) and average precision (the step-wise area that scikit-learn
    computes). NaN where positives or negatives have no weight.
    """
    thresholds, rank = np.unique(scores[labels], return_inverse=True)
    lower = np.searchsorted(thresholds, scores[~labels], side="left")
    upper = np.searchsorted(thresholds, scores[~labels], side="right")
    # bins of the negatives: 2j holds those between the thresholds j - 1 and j, 2j + 1 those tied with threshold j
    negatives = _sum_by_group(lower + upper, np.flatnonzero(~labels), 2 * len(thresholds) + 1, weights).cumsum(axis=0)
    positives = _sum_by_group(rank, np.flatnonzero(labels), len(thresholds), weights)
    below, at_most, n_neg = negatives[0:-1:2], negatives[1::2], negatives[-1]
    true_positives = positives[::-1].cumsum(axis=0)[::-1]
    called = true_positives + n_neg - below
    precision = np.divide(true_positives, called, out=np.zeros_like(called), where=called > 0)
    n_pos = positives.sum(axis=0)
    result = np.full((2, weights.shape[1]), np.nan)
    known = (n_pos > 0) & (n_neg > 0)
    result[0, known] = ((positives * (below + at_most)).sum(axis=0) / 2)[known] / (n_pos * n_neg)[known]
    result[1, known] = (positives * precision).sum(axis=0)[known] / n_pos[known]
    return result


def _sum_by_group(group: np.ndarray, rows: np.ndarray, groups: int, weights: np.ndarray) -> np.ndarray:
    """Sum the given rows of ``weights`` by group; shape (groups, resamples).

    A product with a sparse matrix of ones is twenty times as fast as gathering sorted rows and their running sums.
    """
    ones = np.ones(len(rows), dtype=weights.dtype)
    return sparse.csr_array((ones, (group, rows)), shape=(groups, len(weights))) @ weights


def patient_weights(patients: Sequence[str] | np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """How often each record counts in each bootstrap resample of the patients.

    Parameters
    ----------
    patients
        Patient of each record, length n.
    resamples
        Number of resamples.
    seed
        The same patients and seed give the same resamples, so that models are compared on the same ones.

    Returns
    -------
    Shape (n, resamples), float64, whole numbers.
    """
    names, place = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    rng = np.random.default_rng(seed)
    weights = np.empty((len(place), resamples))
    for number in range(resamples):
        drawn = rng.integers(len(names), size=len(names)) if len(names) else np.empty(0, dtype=int)
        weights[:, number] = np.bincount(drawn, minlength=len(names))[place]
    return weights


def _all_areas(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return AUROC and AUPRC of every class: shape (2, classes, resamples)."""
    result = np.full((2, labels.shape[1], weights.shape[1]), np.nan)
    for start in range(0, weights.shape[1], _RESAMPLES_AT_ONCE):
        some = slice(start, start + _RESAMPLES_AT_ONCE)
        part = np.ascontiguousarray(weights[:, some])
        for column in np.flatnonzero(_defined(labels)):
            result[:, column, some] = areas(scores[:, column], labels[:, column], part)
    return result


def _defined(labels: np.ndarray) -> np.ndarray:
    return np.asarray(labels.any(axis=0) & ~labels.all(axis=0))


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over classes (first axis) of what is defined; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def macro_auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean AUROC over the classes with positives and negatives; NaN if there is none."""
    return float(_mean(_all_areas(scores, labels, np.ones((len(labels), 1)))[0, :, 0]))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _row(name: str, value: float, resampled: np.ndarray, n: int, n_pos: int) -> dict[str, object]:
    known = resampled[~np.isnan(resampled)]
    low, high = np.percentile(known, INTERVAL) if len(known) and not np.isnan(value) else (np.nan, np.nan)
    return {
        "class": name,
        "value": _number(value),
        "ci_low": _number(low),
        "ci_high": _number(high),
        "n": n,
        "n_pos": n_pos,
    }


def evaluate(
    scores: np.ndarray,
    labels: np.ndarray,
    patients: Sequence[str] | np.ndarray,
    class_names: Sequence[str],
    resamples: int = 1000,
    min_positives: int = 10,
    seed: int = 0,
) -> list[dict[str, object]]:
    """AUROC and AUPRC per class and averaged over classes, with 95 % percentile intervals.

    Parameters
    ----------
    scores
        Shape (records, classes).
    labels
        Shape (records, classes), bool.
    patients
        Patient of each record: patients, not records, are resampled, as a patient's records are not independent.
    class_names
        Names of the columns.
    resamples
        Bootstrap resamples; 0: no intervals.
    min_positives
        Positive records that a class needs to count in ``macro_supported``.
    seed
        Of the resampling.

    Returns
    -------
    Rows with the keys metric, class, value, ci_low, ci_high, n, n_pos; per metric ``macro`` (mean over every class
    with positives and negatives), ``macro_supported`` (the same, of those with ``min_positives``), then the classes.
    For the two averages n is the number of records and n_pos the number of classes averaged. ``None`` stands for what
    is not defined; a resample without positives or without negatives of a class leaves that class out.

    Raises
    ------
    ValueError
        For a score that is not finite: it would get a rank without meaning.
    """
    if not np.isfinite(scores).all():
        raise ValueError(f"{(~np.isfinite(scores)).any(axis=1).sum()} records have scores that are not finite")
    n, n_pos = len(labels), labels.sum(axis=0)
    point = _all_areas(scores, labels, np.ones((n, 1)))[:, :, 0]
    resampled = _all_areas(scores, labels, patient_weights(patients, resamples, seed))
    averages = {"macro": _defined(labels), "macro_supported": _defined(labels) & (n_pos >= min_positives)}
    rows = []
    for place, metric in enumerate(METRIC_NAMES):
        for name, chosen in averages.items():
            value = float(_mean(point[place, chosen]))
            rows.append(_row(name, value, _mean(resampled[place, chosen]), n, int(chosen.sum())))
        for column, name in enumerate(class_names):
            rows.append(_row(name, point[place, column], resampled[place, column], n, int(n_pos[column])))
        for row in rows[-len(averages) - len(class_names) :]:
            row["metric"] = metric
    return rows
