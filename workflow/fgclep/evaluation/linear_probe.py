"""Linear probe: one logistic regression per class on the frozen features of the ECG encoder."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from fgclep.evaluation.logistic import Regressions
from fgclep.evaluation.metrics import macro_auroc

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Probe:
    """Logistic regressions of all classes, on centred and, if so fitted, standardized features.

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

    def of(self, columns: Sequence[int]) -> "Probe":
        """Return the probe of some of the classes."""
        untrained, not_converged = (
            tuple(place for place, column in enumerate(columns) if column in some)
            for some in (self.untrained, self.not_converged)
        )
        return replace(
            self,
            coefficients=self.coefficients[:, columns],
            intercepts=self.intercepts[columns],
            untrained=untrained,
            not_converged=not_converged,
        )


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


@cache
def _libraries() -> ThreadpoolController:
    """Libraries that may use several threads; to look for them takes longer than a small probe."""
    return ThreadpoolController()


def fit_probes(
    features: np.ndarray,
    labels: np.ndarray,
    regularization: Sequence[float],
    standardize: bool = True,
    balanced: bool = False,
) -> list[Probe]:
    """Fit one L2-penalized logistic regression per class and C, each to convergence.

    Parameters
    ----------
    features
        Shape (n, features).
    labels
        Shape (n, classes), bool.
    regularization
        Inverse strengths C of the penalty, as in scikit-learn.
    standardize
        Whether features are divided by their standard deviation; the probe's ``scale`` is 1 otherwise.
    balanced
        Whether positives and negatives of a class have the same weight, see ``Regressions``.

    Returns
    -------
    One probe for each distinct C, from the smallest.
    """
    standardized = np.array(features, dtype=np.float64)
    mean = standardized.mean(axis=0) if len(features) else np.zeros(features.shape[1])
    standardized -= mean
    scale = np.sqrt(np.einsum("ij,ij->j", standardized, standardized) / max(1, len(features)))
    scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(mean)), scale, 1.0)  # a constant feature stays 0
    scale = scale if standardize else np.ones_like(scale)
    standardized /= scale
    n_pos = labels.sum(axis=0)
    is_trained = (n_pos > 0) & (n_pos < len(labels))
    trained, untrained = np.flatnonzero(is_trained), tuple(np.flatnonzero(~is_trained).tolist())
    coefficients = np.zeros((features.shape[1], labels.shape[1]))
    intercepts = np.log((n_pos + 0.5) / (len(labels) - n_pos + 0.5))
    candidates = sorted(set(regularization))
    if not len(trained):
        return [Probe(mean, scale, coefficients, intercepts, c, untrained, ()) for c in candidates]
    probes = []
    with _libraries().limit(limits=1):  # the sums of several have no fixed order, and the matrices are small
        regressions = Regressions(standardized, labels[:, trained], balanced)
        del standardized  # as large as all that is left
        for c in candidates:
            converged = regressions.fit(c)
            coefficients, intercepts = coefficients.copy(), intercepts.copy()
            coefficients[:, trained], intercepts[trained] = regressions.coefficients(), regressions.intercepts
            missed = tuple(trained[~converged].tolist())
            probes.append(Probe(mean, scale, coefficients, intercepts, c, untrained, missed))
    return probes


def middle_of(regularization: Sequence[float]) -> float:
    """Return the middle one of the values of C, the smaller of two: for want of validation records."""
    candidates = sorted(set(regularization))
    return candidates[(len(candidates) - 1) // 2]


def choose_probe(probes: Sequence[Probe], features: np.ndarray, labels: np.ndarray) -> Probe:
    """Return the probe with the highest macro AUROC on the validation records.

    Parameters
    ----------
    probes
        Of different C, from the smallest. Of equally good ones the first is taken; if the validation records have no
        class with positives and negatives, the middle one.
    features, labels
        Of the validation records, shapes (n, features) and (n, classes).
    """
    if len(probes) == 1:
        return probes[0]
    values = [macro_auroc(probe.scores(features), labels) for probe in probes]
    if np.isnan(values[0]):
        middle = middle_of([probe.regularization for probe in probes])
        LOG.info("no class has positives and negatives among the validation records: C = %g, the middle one", middle)
        return next(probe for probe in probes if probe.regularization == middle)
    best = int(np.argmax(values))
    listed = ", ".join(f"{probe.regularization:g}: {value:.4f}" for probe, value in zip(probes, values, strict=True))
    LOG.info("macro AUROC on the validation records by C: %s; taken: %g", listed, probes[best].regularization)
    return probes[best]
