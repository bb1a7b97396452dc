"""AUROC, AUPRC, F1 and calibration error, per class and averaged, with bootstrap intervals over patients.

All are computed from weighted counts, for all resamples at once: a bootstrap resample of patients is a vector of
weights, how often each record's patient was drawn.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.special import expit

from fgclep.schemas.metrics import CALIBRATION_BINS, MIN_PATIENTS

METRIC_NAMES = ("auroc", "auprc", "f1", "ece")
_INTERVAL = (2.5, 97.5)  # percentiles
_NO_SPREAD = 1e-9  # what rounding alone makes of equal values
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


def f1_scores(called: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """F1 of one class under many weightings of the records: 2 TP / (2 TP + FP + FN).

    Parameters
    ----------
    called, labels
        Whether the model and the labels say that a record is positive, shape (n,), bool.
    weights
        Shape (n, resamples).

    Returns
    -------
    Shape (resamples,); NaN where positives or negatives have no weight.
    """
    true_positives, n_pos, n_called = (weights.T @ rows for rows in (called & labels, labels, called))
    result = np.full(weights.shape[1], np.nan)
    known = (n_pos > 0) & (weights.T @ ~labels > 0)
    result[known] = 2 * true_positives[known] / (n_pos + n_called)[known]
    return result


def calibration_errors(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Expected calibration error of one class (Naeini et al. 2015, AAAI) under many weightings of the records.

    The mean over the records of how far mean probability and share of positives lie apart in their bin of probability.

    Parameters
    ----------
    probabilities
        Shape (n,).
    labels
        Shape (n,), bool.
    weights
        Shape (n, resamples).

    Returns
    -------
    Shape (resamples,), 0 to 1; NaN where positives or negatives have no weight.
    """
    place = np.searchsorted(np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1], probabilities)  # a bin holds its upper edge
    excess = _sum_by_group(place, np.arange(len(place)), CALIBRATION_BINS, weights * (probabilities - labels)[:, None])
    result = np.full(weights.shape[1], np.nan)
    known = (weights[labels].sum(axis=0) > 0) & (weights[~labels].sum(axis=0) > 0)
    result[known] = np.abs(excess).sum(axis=0)[known] / weights.sum(axis=0)[known]
    return result


def best_thresholds(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Scores from which on a record is called positive, for the highest F1 of each class.

    Parameters
    ----------
    scores
        Of records that are not tested on, shape (n, classes).
    labels
        Shape (n, classes), bool.

    Returns
    -------
    Shape (classes,), each one of the scores, of equally good ones the highest; NaN for a class without positives or
    without negatives.
    """
    thresholds = np.full(labels.shape[1], np.nan)
    for column in np.flatnonzero(_defined(labels)):
        order = np.argsort(-scores[:, column], kind="stable")
        sorted_scores, positives = scores[order, column], labels[order, column].cumsum()
        last = np.append(sorted_scores[1:] != sorted_scores[:-1], True)  # of equal scores
        f1 = np.where(last, 2 * positives / (np.arange(1, len(order) + 1) + positives[-1]), -1.0)
        thresholds[column] = sorted_scores[np.argmax(f1)]
    return thresholds


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


def patients_of(labels: np.ndarray, patients: Sequence[str] | np.ndarray) -> np.ndarray:
    """Count the patients with a positive, and those with a negative record of each class.

    Parameters
    ----------
    labels
        Shape (n, classes), bool.
    patients
        Patient of each record, length n.

    Returns
    -------
    Shape (2, classes), int64.
    """
    _, place = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    counts = [[len(np.unique(place[rows])) for rows in some.T] for some in (labels, ~labels)]
    return np.array(counts, dtype=np.int64).reshape(2, labels.shape[1])


def have_enough_patients(labels: np.ndarray, patients: Sequence[str] | np.ndarray) -> np.ndarray:
    """Tell which classes have ``MIN_PATIENTS`` on either side, bool of shape (classes,); see ``patients_of``."""
    return np.asarray((patients_of(labels, patients) >= MIN_PATIENTS).all(axis=0))


def have_spread(values: np.ndarray) -> bool:
    """Tell whether values differ by more than rounding; those that do not say nothing of their uncertainty."""
    return len(values) > 1 and bool(np.ptp(values) > _NO_SPREAD)


def limits(resampled: np.ndarray) -> tuple[float, float]:
    """95 % interval of the percentiles of those that are defined; NaN where these do not differ (``have_spread``).

    >>> limits(np.arange(101.0)), limits(np.ones(100))
    ((2.5, 97.5), (nan, nan))
    """
    known = resampled[~np.isnan(resampled)]
    low, high = np.percentile(known, _INTERVAL) if have_spread(known) else (np.nan, np.nan)
    return float(low), float(high)


def _all_metrics(
    scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray, weights: np.ndarray, logits: bool
) -> np.ndarray:
    """Return ``METRIC_NAMES`` of every class: shape (4, classes, resamples)."""
    result = np.full((len(METRIC_NAMES), labels.shape[1], weights.shape[1]), np.nan)
    for start in range(0, weights.shape[1], _RESAMPLES_AT_ONCE):
        some = slice(start, start + _RESAMPLES_AT_ONCE)
        part = np.ascontiguousarray(weights[:, some])
        for column in np.flatnonzero(_defined(labels)):
            own, positive = scores[:, column], labels[:, column]
            result[:2, column, some] = areas(own, positive, part)
            if not np.isnan(thresholds[column]):
                result[2, column, some] = f1_scores(own >= thresholds[column], positive, part)
            if logits:
                result[3, column, some] = calibration_errors(expit(own.astype(np.float64)), positive, part)
    return result


def macro_aurocs(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean AUROC over the classes with positives and negatives, under many weightings of the records.

    Parameters
    ----------
    scores, labels
        Shape (n, classes).
    weights
        Shape (n, resamples).

    Returns
    -------
    Shape (resamples,); NaN where no class is defined.
    """
    columns = np.flatnonzero(_defined(labels))
    result = np.empty(weights.shape[1])
    for start in range(0, weights.shape[1], _RESAMPLES_AT_ONCE):
        part = np.ascontiguousarray(weights[:, start : start + _RESAMPLES_AT_ONCE], dtype=np.float64)
        values = [areas(scores[:, column], labels[:, column], part)[0] for column in columns]
        mean = _mean(np.stack(values)) if values else np.full(part.shape[1], np.nan)
        result[start : start + part.shape[1]] = mean
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
    return float(macro_aurocs(scores, labels, np.ones((len(labels), 1)))[0])


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _row(
    name: str, value: float, resampled: np.ndarray, enough: bool, n: int, n_pos: int, patients_pos: int | None
) -> dict[str, object]:
    low, high = limits(resampled) if enough and not np.isnan(value) else (np.nan, np.nan)
    return {
        "class": name,
        "value": _number(value),
        "ci_low": _number(low),
        "ci_high": _number(high),
        "n": n,
        "n_pos": n_pos,
        "patients_pos": patients_pos,
    }


def evaluate(
    scores: np.ndarray,
    labels: np.ndarray,
    patients: Sequence[str] | np.ndarray,
    class_names: Sequence[str],
    thresholds: np.ndarray | None = None,
    resamples: int = 1000,
    min_positives: int = 10,
    seed: int = 0,
    logits: bool = True,
) -> list[dict[str, object]]:
    """AUROC, AUPRC, F1 and calibration error per class and averaged over classes, with 95 % percentile intervals.

    Parameters
    ----------
    scores
        Shape (records, classes); higher means more likely positive.
    labels
        Shape (records, classes), bool.
    patients
        Patient of each record: patients, not records, are resampled, as a patient's records are not independent.
    class_names
        Names of the columns.
    thresholds
        Scores from which on a record is called positive, shape (classes,), as ``best_thresholds`` finds them on other
        records; NaN or ``None`` leaves F1 undefined.
    resamples
        Bootstrap resamples; 0: no intervals.
    min_positives
        Patients with a positive record that a class needs to count in ``macro_supported``.
    seed
        Of the resampling.
    logits
        Whether the scores are logits; of others, which are no probabilities, the calibration error is not defined.

    Returns
    -------
    Rows with the keys metric, class, value, ci_low, ci_high, n, n_pos, patients_pos; per metric ``macro`` (mean over
    every class with positives and negatives), ``macro_supported`` (the same, of those with ``min_positives``), then the
    classes. For the two averages n is the number of records and n_pos the number of classes averaged. ``None`` stands
    for what is not defined; a resample without positives or without negatives of a class leaves that class out. There
    is no interval for a class with fewer than ``MIN_PATIENTS`` patients among its positives or its negatives, for an
    average over such a class, and where all resamples give the same.

    Raises
    ------
    ValueError
        For a score that is not finite: it would get a rank without meaning.
    """
    if not np.isfinite(scores).all():
        raise ValueError(f"{(~np.isfinite(scores)).any(axis=1).sum()} records have scores that are not finite")
    n, n_pos = len(labels), labels.sum(axis=0)
    if thresholds is None:
        thresholds = np.full(labels.shape[1], np.nan)
    point = _all_metrics(scores, labels, thresholds, np.ones((n, 1)), logits)[:, :, 0]
    resampled = _all_metrics(scores, labels, thresholds, patient_weights(patients, resamples, seed), logits)
    patients_pos, enough = patients_of(labels, patients)[0], have_enough_patients(labels, patients)
    averages = {"macro": _defined(labels), "macro_supported": _defined(labels) & (patients_pos >= min_positives)}
    rows = []
    for place, metric in enumerate(METRIC_NAMES):
        for name, chosen in averages.items():
            value = float(_mean(point[place, chosen]))
            certain = bool(enough[chosen & ~np.isnan(point[place])].all())
            rows.append(_row(name, value, _mean(resampled[place, chosen]), certain, n, int(chosen.sum()), None))
        for column, name in enumerate(class_names):
            counts = n, int(n_pos[column]), int(patients_pos[column])
            rows.append(_row(name, point[place, column], resampled[place, column], bool(enough[column]), *counts))
        for row in rows[-len(averages) - len(class_names) :]:
            row["metric"] = metric
    return rows
