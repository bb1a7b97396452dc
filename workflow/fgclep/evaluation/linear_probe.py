"""Linear probe: one logistic regression per class on the frozen features of the ECG encoder."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from fgclep.evaluation.metrics import macro_auroc

LOG = logging.getLogger(__name__)
MAX_ITERATIONS = 5000


@dataclass(frozen=True)
class Probe:
    """Logistic regressions of all classes, on standardized features.

    Parameters
    ----------
    mean, scale
        Of the training features, shape (features,).
    coefficients
        Shape (features, classes); 0 for a class that could not be trained.
    intercepts
        Shape (classes,); the log odds of the training records, with half a record more of either kind, for a class that
        could not be trained.
    regularization
        Inverse strength C of the L2 penalty.
    untrained, not_converged
        Columns of classes without positives or without negatives, and of those that the solver gave up on.
    """

    mean: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray
    regularization: float
    untrained: tuple[int, ...]
    not_converged: tuple[int, ...]

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Log odds (records, classes); a class that could not be trained gets the same score everywhere."""
        return ((features - self.mean) / self.scale) @ self.coefficients + self.intercepts


def draw_records(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Draw a share of the training records, so that no class is left without a positive if that can be had.

    From the most to the least frequent class, each class that has no positive yet gets one at random; the rest is
    drawn from all other records with equal chances. Rare classes are thus somewhat more frequent in small draws; with
    fewer records than classes, it is the rarest that go without.

    Parameters
    ----------
    labels
        Of all training records, shape (n, classes), bool.
    fraction
        Above 0 to 1; at least one record is drawn. 1 returns all.
    seed
        Of the draw.

    Returns
    -------
    Sorted row numbers.
    """
    n = len(labels)
    size = min(n, max(1, round(fraction * n)))
    if size == n:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    chosen = np.zeros(n, dtype=bool)
    for column in np.argsort(-labels.sum(axis=0), kind="stable"):
        if chosen.sum() == size:
            break
        if labels[:, column].any() and not labels[chosen, column].any():
            chosen[order[labels[order, column]][0]] = True
    chosen[order[~chosen[order]][: size - chosen.sum()]] = True
    return np.flatnonzero(chosen)


def draw_shots(labels: np.ndarray, shots: int, seed: int) -> np.ndarray:
    """Draw so many positives of each class, or all that there are.

    From the rarest to the most frequent class, records are drawn at random from its positives until the class has
    enough, those counted that were drawn for another one. Frequent classes may so have more.

    Parameters
    ----------
    labels
        Of all training records, shape (n, classes), bool.
    shots
        Positives of each class.
    seed
        Of the draw.

    Returns
    -------
    Sorted row numbers.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    chosen = np.zeros(len(labels), dtype=bool)
    for column in np.argsort(labels.sum(axis=0), kind="stable"):
        missing = max(0, shots - labels[chosen, column].sum())
        chosen[order[labels[order, column] & ~chosen[order]][:missing]] = True
    return np.flatnonzero(chosen)


def fit_probe(features: np.ndarray, labels: np.ndarray, regularization: float) -> Probe:
    """Fit one L2-penalized logistic regression per class, each to convergence.

    Parameters
    ----------
    features
        Shape (n, features).
    labels
        Shape (n, classes), bool.
    regularization
        Inverse strength C of the penalty, as in scikit-learn.
    """
    features = np.asarray(features, dtype=np.float64)
    mean = features.mean(axis=0) if len(features) else np.zeros(features.shape[1])
    scale = features.std(axis=0) if len(features) else np.ones(features.shape[1])
    scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(mean)), scale, 1.0)  # a constant feature stays 0
    standardized = (features - mean) / scale
    coefficients = np.zeros((features.shape[1], labels.shape[1]))
    intercepts = np.zeros(labels.shape[1])
    untrained, not_converged = [], []
    # one thread: the sums of several have no fixed order, and the matrices are small
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for column in range(labels.shape[1]):
            if labels[:, column].all() or not labels[:, column].any():
                untrained.append(column)
                positives = labels[:, column].sum()
                intercepts[column] = np.log((positives + 0.5) / (len(labels) - positives + 0.5))
                continue
            model = LogisticRegression(C=regularization, solver="lbfgs", max_iter=MAX_ITERATIONS)
            model.fit(standardized, labels[:, column])
            coefficients[:, column] = model.coef_[0]
            intercepts[column] = model.intercept_[0]
            if model.n_iter_[0] >= MAX_ITERATIONS:
                not_converged.append(column)
    return Probe(mean, scale, coefficients, intercepts, regularization, tuple(untrained), tuple(not_converged))


def middle_of(regularization: Sequence[float]) -> float:
    """Return the middle one of the values of C, the smaller of two: for want of validation records."""
    candidates = sorted(set(regularization))
    return candidates[(len(candidates) - 1) // 2]


def choose_probe(
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    regularization: Sequence[float],
) -> Probe:
    """Fit a probe for each C and return the one with the highest macro AUROC on the validation records.

    Parameters
    ----------
    train, val
        Features (n, features) and labels (n, classes).
    regularization
        Values of C to choose from. Of equal ones the smallest is taken; if the validation records have no class with
        positives and negatives, the middle one.
    """
    candidates = sorted(set(regularization))
    if np.isnan(macro_auroc(np.zeros(val[1].shape), val[1])):
        middle = middle_of(candidates)
        LOG.info("no class has positives and negatives among the validation records: C = %g, the middle one", middle)
        return fit_probe(*train, middle)
    if len(candidates) == 1:
        return fit_probe(*train, candidates[0])
    probes = [fit_probe(*train, value) for value in candidates]
    values = [macro_auroc(probe.scores(val[0]), val[1]) for probe in probes]
    best = int(np.argmax(values))
    listed = ", ".join(f"{probe.regularization:g}: {value:.4f}" for probe, value in zip(probes, values, strict=True))
    LOG.info("macro AUROC on the validation records by C: %s; taken: %g", listed, candidates[best])
    return probes[best]
