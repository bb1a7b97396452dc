"""AUROC, AUPRC, F1 and calibration error, per class and averaged, with bootstrap intervals over patients.

All are computed from weighted counts, for all resamples at once: a bootstrap resample of patients is a vector of
weights, how often each record's patient was drawn.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from scipy import sparse

from fgclep.evaluation.logistic import sigmoid
from fgclep.schemas.metrics import CALIBRATION_BINS, MIN_PATIENTS

METRIC_NAMES = ("auroc", "auprc", "f1", "ece")
_INTERVAL = (2.5, 97.5)  # percentiles
_NO_SPREAD = 1e-9  # what rounding alone makes of equal values
_BLOCK = 2**18  # weights at once, which stay in the processor's cache
_FEWEST = 64  # resamples at once
_NO_WEIGHT = np.finfo(np.float64).tiny


def areas(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """AUROC and average precision of each class under many weightings of the records.

    Parameters
    ----------
    scores
        Shape (n, classes); higher means more likely positive. Ties count half in the AUROC.
    labels
        Shape (n, classes), bool.
    weights
        Shape (n, resamples), not negative.

    Returns
    -------
    Shape (2, classes, resamples), float64: AUROC (Mann-Whitney) and average precision (the step-wise area that
    scikit-learn computes). NaN where positives or negatives have no weight.
    """
    n, classes = labels.shape
    result = np.full((2, classes, weights.shape[1]), np.nan)
    rows, group, ends, is_tied = _groups(scores, labels)
    starts, total = np.append(0, ends)[:-1], int(ends[-1]) if classes else 0
    positive = labels.T.ravel()[rows[0] * n + rows[1]]
    kept = group < ends[rows[0]]  # the negatives below all positives change nothing
    # of each threshold two rows: what it calls and the one above does not, and the positives among these
    places = [2 * group[kept], 2 * group[positive] + 1]
    summed = _ones(np.concatenate(places), np.concatenate([rows[1][kept], rows[1][positive]]), (2 * total, n))
    tied = _ones(group[is_tied], rows[1][is_tied], (total, n)) if is_tied.any() else None
    for some, part, (n_neg, n_pos) in _blocks(labels, weights):
        sums = (summed @ part).reshape(total, 2, part.shape[1])
        ties = None if tied is None else tied @ part
        better, precise = n_neg * n_pos, np.zeros_like(n_pos)
        for column, (start, end) in enumerate(zip(starts, ends, strict=True)):
            own = sums[start:end]
            positives = own[:, 1].copy()
            for row in range(1, len(own)):  # several times as fast as numpy's cumsum along the first axis
                own[row] += own[row - 1]
            called, right = own[:, 0], own[:, 1]
            better[column] -= np.einsum("ij,ij->j", positives, called - right)
            if ties is not None:
                better[column] += np.einsum("ij,ij->j", positives, ties[start:end]) / 2
            precision = right / np.maximum(called, _NO_WEIGHT)
            precise[column] = np.einsum("ij,ij->j", positives, precision)
        known = (n_pos > 0) & (n_neg > 0)
        np.divide(better, n_neg * n_pos, out=result[0, :, some], where=known)
        np.divide(precise, n_pos, out=result[1, :, some], where=known)
    return result


def _groups(
    scores: np.ndarray, labels: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Sort the records of each class into groups by the distinct scores of its positives, from the highest.

    Returns
    -------
    places
        Class and record, each of shape (classes * n,).
    group
        The first that calls the record positive, numbered over all classes; a record that none calls has the number
        after the last of its class.
    ends
        Number after the last group of each class, shape (classes,).
    is_tied
        Whether it is a negative with the score of a positive.
    """
    order = np.argsort(-scores.T, axis=1, kind="stable")
    classes, n = order.shape
    found = np.take_along_axis(scores.T, order, axis=1)
    positive = np.take_along_axis(labels.T, order, axis=1).ravel()
    is_new = np.ones((classes, n), dtype=bool)
    is_new[:, 1:] = found[:, 1:] != found[:, :-1]
    run = is_new.ravel().cumsum() - 1  # of equal scores
    has_positive = np.bincount(run, positive) > 0
    until = has_positive.cumsum()
    group = (until - has_positive)[run]
    ends = until[run[n - 1 :: n]] if n else np.zeros(classes, dtype=int)
    places = np.repeat(np.arange(classes), n), order.ravel()
    return places, group, ends, has_positive[run] & ~positive


def f1_scores(called: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """F1 of each class under many weightings of the records: 2 TP / (2 TP + FP + FN).

    Parameters
    ----------
    called, labels
        Whether the model and the labels say that a record is positive, shape (n, classes), bool.
    weights
        Shape (n, resamples).

    Returns
    -------
    Shape (classes, resamples); NaN where positives or negatives have no weight.
    """
    result = np.full((labels.shape[1], weights.shape[1]), np.nan)
    right, every = (sparse.csr_array(rows.T, dtype=np.float64) for rows in (called & labels, called))
    for some, part, (n_neg, n_pos) in _blocks(labels, weights):
        known = (n_pos > 0) & (n_neg > 0)
        np.divide(2 * (right @ part), n_pos + every @ part, out=result[:, some], where=known)
    return result


def calibration_errors(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Expected calibration error of each class (Naeini et al. 2015, AAAI) under many weightings of the records.

    The mean over the records of how far mean probability and share of positives lie apart in their bin of probability.

    Parameters
    ----------
    probabilities
        Shape (n, classes).
    labels
        Shape (n, classes), bool.
    weights
        Shape (n, resamples).

    Returns
    -------
    Shape (classes, resamples), 0 to 1; NaN where positives or negatives have no weight.
    """
    n, classes = labels.shape
    result = np.full((classes, weights.shape[1]), np.nan)
    place = np.searchsorted(np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1], probabilities)  # a bin holds its upper edge
    place += CALIBRATION_BINS * np.arange(classes)
    excess = (probabilities - labels).ravel(), (place.ravel(), np.repeat(np.arange(n), classes))
    summed = sparse.csr_array(excess, shape=(classes * CALIBRATION_BINS, n))
    for some, part, (n_neg, n_pos) in _blocks(labels, weights):
        known = (n_pos > 0) & (n_neg > 0)
        apart = np.abs(summed @ part).reshape(classes, CALIBRATION_BINS, part.shape[1]).sum(axis=1)
        np.divide(apart, n_pos + n_neg, out=result[:, some], where=known)
    return result


def _blocks(labels: np.ndarray, weights: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield some of the resamples: where they stand, their weights, and those of the negatives and positives.

    The last has the shape (2, classes, resamples).
    """
    positives = sparse.csr_array(labels.T, dtype=np.float64)
    size = max(_FEWEST, _BLOCK // max(1, len(weights)))
    for start in range(0, weights.shape[1], size):
        part = np.ascontiguousarray(weights[:, start : start + size], dtype=np.float64)
        n_pos = positives @ part
        yield slice(start, start + size), part, np.stack([part.sum(axis=0) - n_pos, n_pos])


def _ones(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


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
    counts = np.empty((resamples, len(names)))
    for own in counts:
        drawn = rng.integers(len(names), size=len(names)) if len(names) else np.empty(0, dtype=int)
        own[:] = np.bincount(drawn, minlength=len(names))
    return counts.T[place]


@lru_cache(maxsize=1)
def _all_weights(patients: tuple[str, ...], resamples: int, seed: int) -> np.ndarray:
    """One of every record, and the ``patient_weights``: many scores are measured on the same records in turn."""
    return np.insert(patient_weights(patients, resamples, seed), 0, 1, axis=1)


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
    if not len(labels):
        return np.zeros((2, labels.shape[1]), dtype=np.int64)
    names = np.asarray(patients, dtype=str)
    order = np.argsort(names, kind="stable")
    firsts = np.flatnonzero(np.append(True, names[order][1:] != names[order][:-1]))
    return np.stack([np.logical_or.reduceat(some[order], firsts).sum(axis=0) for some in (labels, ~labels)])


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
    low, high = _limits(resampled)
    return float(low), float(high)


def _limits(resampled: np.ndarray) -> np.ndarray:
    """``limits`` of many: low and high, shape (2, ...), of resampled values of shape (..., resamples)."""
    values = np.sort(resampled, axis=-1)  # those that are not defined come last
    last = (~np.isnan(values)).sum(axis=-1) - 1
    if not values.shape[-1]:
        return np.full((2, *last.shape), np.nan)

    def at(place: np.ndarray) -> np.ndarray:
        return np.asarray(np.take_along_axis(values, np.maximum(place, 0)[..., None], axis=-1)[..., 0])

    differ = (last > 0) & (at(last) - at(np.zeros_like(last)) > _NO_SPREAD)
    places = np.multiply.outer(np.array(_INTERVAL) / 100, last)
    bounds = [at(np.floor(some).astype(int)) for some in places], [at(np.ceil(some).astype(int)) for some in places]
    low, high = map(np.stack, bounds)
    return np.where(differ, low + (high - low) * (places % 1), np.nan)


def _all_metrics(
    scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray, weights: np.ndarray, logits: bool
) -> np.ndarray:
    """Return ``METRIC_NAMES`` of every class: shape (4, classes, resamples)."""
    result = np.full((len(METRIC_NAMES), labels.shape[1], weights.shape[1]), np.nan)
    result[:2] = areas(scores, labels, weights)
    called = ~np.isnan(thresholds)
    result[2, called] = f1_scores(scores[:, called] >= thresholds[called], labels[:, called], weights)
    if logits:
        result[3] = calibration_errors(sigmoid(scores.astype(np.float64)), labels, weights)
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
    chosen = _defined(labels)
    return _mean(areas(scores[:, chosen], labels[:, chosen], weights)[0])


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
    name: str, value: float, bounds: np.ndarray, enough: bool, n: int, n_pos: int, patients_pos: int | None
) -> dict[str, object]:
    low, high = bounds if enough and not np.isnan(value) else (np.nan, np.nan)
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
    weights = _all_weights(tuple(map(str, patients)), resamples, seed)
    values = _all_metrics(scores, labels, thresholds, weights, logits)
    point, resampled = values[:, :, 0], values[:, :, 1:]
    bounds = _limits(resampled)
    own_patients = patients_of(labels, patients)
    patients_pos, enough = own_patients[0], np.asarray((own_patients >= MIN_PATIENTS).all(axis=0))
    averages = {"macro": _defined(labels), "macro_supported": _defined(labels) & (patients_pos >= min_positives)}
    rows = []
    for place, metric in enumerate(METRIC_NAMES):
        for name, chosen in averages.items():
            value = float(_mean(point[place, chosen]))
            certain = bool(enough[chosen & ~np.isnan(point[place])].all())
            interval = _limits(_mean(resampled[place, chosen]))
            rows.append(_row(name, value, interval, certain, n, int(chosen.sum()), None))
        for column, name in enumerate(class_names):
            counts = n, int(n_pos[column]), int(patients_pos[column])
            rows.append(_row(name, point[place, column], bounds[:, place, column], bool(enough[column]), *counts))
        for row in rows[-len(averages) - len(class_names) :]:
            row["metric"] = metric
    return rows
