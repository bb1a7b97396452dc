"""The protocol of ecg-fix: how the paper that asks for better evaluations of ECG encoders fits and compares probes.

Berger, Prakah-Asante, Guttag and Stultz, ICML 2026, arXiv:2602.17531. docs/evaluation.md says what was read
where, and what differs here.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from fgclep.evaluation.linear_probe import Probe, fit_probes
from fgclep.evaluation.logistic import sigmoid
from fgclep.evaluation.metrics import areas, limits, patients_of

REGULARIZATION = (0.01, 0.1, 1.0, 10.0)
FRACTIONS = (0.01, 0.1, 1.0)
METRICS = ("auroc", "auprc")
_CLOSEST = 1e-15  # to 0 and 1, of a probability in the log loss
_AT_ONCE = 2**20  # scores whose areas are computed together


class Chosen(NamedTuple):
    """The probe of the grid with the lowest log loss on the validation records.

    Attributes
    ----------
    probe
        Of all classes.
    setting
        In words, ``scaled, C = 0.1, balanced``.
    loss
        Mean log loss of the validation records and classes, nats.
    """

    probe: Probe
    setting: str
    loss: float


def draw(n: int, fraction: float, seed: int) -> np.ndarray:
    """Draw a share of ``n`` records, rounded down, all with equal chances; at least one.

    Returns
    -------
    Sorted row numbers.
    """
    return np.sort(np.random.default_rng(seed).permutation(n)[: max(1, int(n * fraction))])


def log_loss(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean log loss (nats) of log odds (n, classes) for labels (n, classes), over records and classes."""
    p = np.clip(sigmoid(scores), _CLOSEST, 1 - _CLOSEST)
    return float(-np.where(labels, np.log(p), np.log(1 - p)).mean())


def choose(train: tuple[np.ndarray, np.ndarray], val: tuple[np.ndarray, np.ndarray]) -> Chosen:
    """Fit probes with and without scaling, for each C, with and without balanced classes; the lowest log loss wins.

    Parameters
    ----------
    train, val
        Features (n, d) and labels (n, classes) of the records to fit, and to choose by. Without records to choose by,
        the first is taken, as is the first of equally good ones.
    """
    found: dict[tuple[bool, float, bool], Chosen] = {}
    for standardize, balanced in product((True, False), (False, True)):
        for probe in fit_probes(*train, REGULARIZATION, standardize, balanced):
            words = "scaled" if standardize else "not scaled", f"C = {probe.regularization:g}", "balanced" * balanced
            loss = log_loss(probe.scores(val[0]), val[1]) if len(val[1]) else np.nan
            found[not standardize, probe.regularization, balanced] = Chosen(probe, ", ".join(filter(None, words)), loss)
    return min((found[key] for key in sorted(found)), key=lambda chosen: chosen.loss)


def _resampled(labels: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each record counts, (n, resamples): as many positives and negatives of one class as there are."""
    weights = np.zeros((len(labels), resamples))
    for kind in (labels, ~labels):
        if n := int(kind.sum()):
            weights[kind] = rng.multinomial(n, np.full(n, 1 / n), size=resamples).T
    return weights


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the classes (second axis) that are defined; NaN where none is."""
    defined = ~np.isnan(values).all(axis=(0, 2))
    return values[:, defined].mean(axis=1) if defined.any() else np.full(values[:, 0].shape, np.nan)


def evaluate(
    scores: np.ndarray,
    labels: np.ndarray,
    patients: np.ndarray,
    class_names: Sequence[str],
    resamples: int = 1000,
    seed: int = 0,
) -> list[dict[str, object]]:
    """AUROC and AUPRC, each class and their mean, with 95 % intervals of a bootstrap that keeps the share of positives.

    Parameters
    ----------
    scores, labels
        Shape (n, classes).
    patients
        Of each record, shape (n,), which are counted; records are resampled, of each class by itself.
    class_names
        Of the columns.
    resamples, seed
        Their number, and the seed of the draw.

    Returns
    -------
    Rows with the keys that ``metrics.evaluate`` gives, for ``macro`` and the classes; ``None`` for what is undefined.
    """
    rng = np.random.default_rng(seed)
    values = np.full((2, len(class_names), 1 + resamples), np.nan)
    for column in range(len(class_names)):
        own = labels[:, [column]]
        weights = np.insert(_resampled(own[:, 0], resamples, rng), 0, 1, axis=1)
        values[:, column] = areas(scores[:, [column]], own, weights)[:, 0]
    every = np.concatenate([_mean(values)[:, None], values], axis=1)
    n, positives, with_positive = len(labels), labels.sum(axis=0), patients_of(labels, patients)[0]
    counts: list[tuple[str, int, int | None]] = [("macro", int((~np.isnan(values[0, :, 0])).sum()), None)]
    counts += zip(class_names, positives.tolist(), with_positive.tolist(), strict=True)
    rows: list[dict[str, object]] = []
    for metric, table in zip(METRICS, every, strict=True):
        for own, (name, n_pos, patients_pos) in zip(table, counts, strict=True):
            low, high = limits(own[1:])
            numbers = {"value": _number(own[0]), "ci_low": _number(low), "ci_high": _number(high)}
            counted = {"n": n, "n_pos": n_pos, "patients_pos": patients_pos}
            rows.append({"metric": metric, "class": name, **numbers, **counted})
    return rows


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _macros(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Macro AUROC and AUPRC, (2, k), of k scorings (k, n, classes)."""
    k, n, classes = scores.shape
    columns = scores.transpose(1, 0, 2).reshape(n, k * classes)
    found = areas(columns, np.tile(labels, (1, k)), np.ones((n, 1)))
    return _mean(found.reshape(2, k, classes).transpose(0, 2, 1))


def difference(
    one: np.ndarray, other: np.ndarray, labels: np.ndarray, resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Difference of macro AUROC and AUPRC between two models, with its 95 % interval by a paired bootstrap.

    Both models are measured on the same resampled records of each class, drawn as by ``evaluate``: what is hard in a
    resample is hard for both, so that the interval is narrower than two of single models suggest.

    Parameters
    ----------
    one, other, labels
        Shape (n, classes).
    resamples, seed
        Their number, and the seed of the draw.

    Returns
    -------
    By metric ``one`` less ``other``, and the interval's ends: NaN where no class is defined, and where no resample
    differs.
    """
    rng = np.random.default_rng(seed)
    values = np.full((2, 2, labels.shape[1], 1 + resamples), np.nan)  # model, metric, class, resample
    for column in range(labels.shape[1]):
        own = labels[:, [column]]
        weights = np.insert(_resampled(own[:, 0], resamples, rng), 0, 1, axis=1)
        for model, scores in enumerate((one, other)):
            values[model, :, column] = areas(scores[:, [column]], own, weights)[:, 0]
    apart = _mean(values[0]) - _mean(values[1])
    found = {}
    for name, own in zip(METRICS, apart, strict=True):
        low, high = limits(own[1:])
        found[name] = float(own[0]), float(low), float(high)
    return found


def permutation_test(
    one: np.ndarray, other: np.ndarray, labels: np.ndarray, permutations: int = 1000, seed: int = 0
) -> Mapping[str, float]:
    """Two-sided p of the difference of macro AUROC and AUPRC between two models, by exchanging them within records.

    Parameters
    ----------
    one, other
        Probabilities, shape (n, classes): what is exchanged must be on one scale.
    labels
        Shape (n, classes), bool; classes without positives or negatives are left out.
    permutations, seed
        Exchanges, in each of which every record has the chance one half; and the seed of these.

    Returns
    -------
    p by metric, (1 + exchanges with as large a difference) / (1 + permutations); NaN where no class is defined.
    """
    defined = labels.any(axis=0) & ~labels.all(axis=0)
    if not defined.any():
        return dict.fromkeys(METRICS, np.nan)
    pair, labels = np.stack([one, other])[:, :, defined], labels[:, defined]
    values = _macros(pair, labels)
    observed = np.abs(values[:, 0] - values[:, 1])
    rng, beyond = np.random.default_rng(seed), np.zeros(2)
    size = max(1, _AT_ONCE // pair.size)
    for start in range(0, permutations, size):
        swap = rng.random((min(size, permutations - start), len(labels), 1)) < 0.5
        exchanged = np.concatenate([np.where(swap, pair[1], pair[0]), np.where(swap, pair[0], pair[1])])
        found = _macros(exchanged, labels)
        apart = np.abs(found[:, : len(swap)] - found[:, len(swap) :])
        beyond += (apart >= observed[:, None] - 1e-12).sum(axis=1)
    return dict(zip(METRICS, ((1 + beyond) / (1 + permutations)).tolist(), strict=True))
