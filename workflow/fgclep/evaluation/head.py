"""A linear head: logistic regressions on a model's embeddings, fitted to labels of one's own, in one JSON file."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fgclep.errors import UserError
from fgclep.evaluation.linear_probe import Probe, fit_probes
from fgclep.evaluation.logistic import sigmoid
from fgclep.evaluation.metrics import evaluate, macro_auroc
from fgclep.evaluation.tasks import TaskClass
from fgclep.files import write_text
from fgclep.models import calibration
from fgclep.models.calibration import weights_digest

FOLDS = 5
_FACTS = {"model": "model", "digest": "weights", "population": "population"}  # field -> key of the file
_WAY_OUT = "make it anew with fgclep fit"


@dataclass(frozen=True)
class HeadClass:
    """A class of a head, and how well it was told in cross-validation.

    Parameters
    ----------
    name
        The code.
    prevalence
        Share of the records that have it, which its probability assumes.
    auroc
        In cross-validation: value, and 95 % interval over the patients.
    """

    name: str
    prevalence: float
    auroc: tuple[float, float, float]


@dataclass(frozen=True)
class Head:
    """Probabilities of classes as a logistic function of a model's embeddings.

    Parameters
    ----------
    name
        Of its file, without extension.
    model
        Name of the model whose embeddings it takes.
    digest
        Of that model's weights.
    population
        In words, on which it was fitted.
    macro
        Mean AUROC of the classes in cross-validation: value, and 95 % interval over the patients.
    told
        The classes.
    weights
        Shape (embedding, classes).
    offsets
        Shape (classes,).
    """

    name: str
    model: str
    digest: str
    population: str
    macro: tuple[float, float, float]
    told: tuple[HeadClass, ...]
    weights: np.ndarray
    offsets: np.ndarray

    @classmethod
    def read(cls, path: str | Path) -> "Head":
        """Read the file of a head; raises ``UserError`` naming it if ``write`` did not make it so."""
        path = Path(path)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            rows = document["classes"]
            told = tuple(HeadClass(str(row["name"]), float(row["prevalence"]), _three(row["auroc"])) for row in rows)
            facts = {key: document[name] for key, name in _FACTS.items()}
            weights = np.array([row["weights"] for row in rows], dtype=np.float64).T
            offsets = np.array([row["offset"] for row in rows], dtype=np.float64)
            macro = _three(document["auroc"])
        except FileNotFoundError:
            raise UserError(f"{path} does not exist; {_WAY_OUT}") from None
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path} is no head of fgclep fit ({error!r}); {_WAY_OUT}") from None
        if not told or weights.ndim != 2 or not all(isinstance(text, str) and text.strip() for text in facts.values()):
            raise UserError(f"{path} is no head of fgclep fit: it lacks classes, weights or names; {_WAY_OUT}")
        if not (np.isfinite(weights).all() and np.isfinite(offsets).all() and all(0 < c.prevalence < 1 for c in told)):
            raise UserError(f"{path}: weights that are not finite, or a prevalence that is none; {_WAY_OUT}")
        return cls(name=path.stem, **facts, macro=macro, told=told, weights=weights, offsets=offsets)

    def write(self, path: str | Path) -> None:
        """Write the head as JSON, a line for each class."""
        rows = [
            json.dumps(
                {
                    "name": item.name,
                    "prevalence": round(item.prevalence, 6),
                    "auroc": [_rounded(value) for value in item.auroc],
                    "offset": float(f"{offset:.6g}"),
                    "weights": [float(f"{weight:.6g}") for weight in weights],
                }
            )
            for item, offset, weights in zip(self.told, self.offsets, self.weights.T, strict=True)
        ]
        facts = {name: getattr(self, key) for key, name in _FACTS.items()}
        head = json.dumps({**facts, "auroc": [_rounded(value) for value in self.macro]}).removesuffix("}")
        write_text(Path(path), f'{head}, "classes": [\n' + ",\n".join(rows) + "\n]}\n")

    def check(self, folder: str | Path) -> None:
        """Raise ``UserError`` if a model's weights are others than those whose embeddings the head takes."""
        if weights_digest(folder) != self.digest:
            raise UserError(
                f"the head {self.name!r} is for the model {self.model}, and the weights in {folder} are others; give "
                "--model FOLDER with those, or fit a head to this model with fgclep fit"
            )

    @property
    def classes(self) -> tuple[TaskClass, ...]:
        """The classes as those of a task, without prompts."""
        return tuple(TaskClass(item.name, item.name, (item.name,), ()) for item in self.told)

    @property
    def prevalences(self) -> np.ndarray:
        """Share of each class among the records, shape (classes,)."""
        return np.array([item.prevalence for item in self.told])

    def probabilities(self, embeddings: np.ndarray) -> np.ndarray:
        """Probabilities, float64 (n, classes), of ECGs embedded by ``FGCLEP.embed`` (n, embedding)."""
        return sigmoid(embeddings.astype(np.float64) @ self.weights + self.offsets)

    def remark(self) -> str:
        """Say on what the head was fitted, and how well it tells classes apart."""
        return f"the classes are those of the head {self.name!r}, fitted to {self.population}; {auroc_text(self.macro)}"


def auroc_text(auroc: tuple[float, float, float]) -> str:
    """Write an AUROC of the cross-validation with its interval.

    >>> auroc_text((0.912, 0.88, 0.94))
    'AUROC in cross-validation 0.912 (0.880 to 0.940)'
    """
    value, low, high = auroc
    interval = "" if math.isnan(low) else f" ({low:.3f} to {high:.3f})"
    return f"AUROC in cross-validation {value:.3f}{interval}"


def folds_of(labels: np.ndarray, patients: np.ndarray, seed: int) -> np.ndarray:
    """Divide records into ``FOLDS`` folds, all of a patient in one, so that each class is spread over all.

    Patients are dealt out in random order, those with the same rarest class one after another.

    Parameters
    ----------
    labels
        Shape (n, classes), bool.
    patients
        Patient of each record, shape (n,).
    seed
        Of the order.

    Returns
    -------
    Number of the fold of each record, shape (n,).
    """
    names, place = np.unique(patients.astype(str), return_inverse=True)
    has = np.zeros((len(names), labels.shape[1]), dtype=bool)
    np.logical_or.at(has, place, labels)
    rarest = np.where(has, has.sum(axis=0), len(names) + 1).argmin(axis=1)
    rarest[~has.any(axis=1)] = labels.shape[1]
    fold = np.empty(len(names), dtype=int)
    fold[np.lexsort([np.random.default_rng(seed).permutation(len(names)), rarest])] = np.arange(len(names)) % FOLDS
    return fold[place]


def fit_probe(
    features: np.ndarray, labels: np.ndarray, patients: np.ndarray, candidates: Sequence[float], seed: int
) -> tuple[Probe, np.ndarray]:
    """Fit a probe with the C, of some, whose macro AUROC is the highest in cross-validation by patient.

    Parameters
    ----------
    features, labels, patients
        Shapes (n, features), (n, classes) and (n,); each class needs ``FOLDS`` patients with and without it.
    candidates
        Values of C.
    seed
        Of the folds.

    Returns
    -------
    The probe, and what the probes of the folds with this C score on the others, shape (n, classes).
    """
    candidates, folds = sorted(set(candidates)), folds_of(labels, patients, seed)
    scores = np.empty((len(candidates), *labels.shape))
    for fold in range(FOLDS):
        out = folds == fold
        for own, probe in zip(scores, fit_probes(features[~out], labels[~out], candidates), strict=True):
            own[out] = probe.scores(features[out])
    best = int(np.argmax([macro_auroc(own, labels) for own in scores]))
    return fit_probes(features, labels, [candidates[best]])[0], scores[best]


def fit_head(
    embeddings: np.ndarray,
    labels: np.ndarray,
    patients: np.ndarray,
    names: Sequence[str],
    candidates: Sequence[float],
    of: tuple[str, str, str, str],
    resamples: int = 1000,
    seed: int = 0,
) -> Head:
    """Fit a head, and judge it by nested cross-validation: each fold by a probe, and its C, of the others.

    Where a class has records enough (``calibration.FEWEST``), a curve makes its scores probabilities (Platt 1999),
    fitted to the scores of a cross-validation with the C of the head, as in scikit-learn's
    ``CalibratedClassifierCV(ensemble=False)``. Other classes keep the probabilities of the regression.

    Parameters
    ----------
    embeddings, labels, patients
        Shapes (n, embedding), (n, classes), bool, and (n,).
    names
        Of the classes.
    candidates
        Values of C to choose among.
    of
        ``name``, ``model``, ``digest`` and ``population`` of the head.
    resamples, seed
        Of the bootstrap over patients, and of the folds.
    """
    features, folds = embeddings.astype(np.float64), folds_of(labels, patients, seed)
    scores = np.empty(labels.shape)
    for fold in range(FOLDS):
        out = folds == fold
        probe, _ = fit_probe(features[~out], labels[~out], patients[~out], candidates, seed)
        scores[out] = probe.scores(features[out])
    judged = {
        str(row["class"]): _three([row[key] for key in ("value", "ci_low", "ci_high")])  # type: ignore[misc]
        for row in evaluate(scores, labels, patients, names, None, resamples, 1, seed)
        if row["metric"] == "auroc"
    }
    probe, left_out = fit_probe(features, labels, patients, candidates, seed)
    curves = [calibration.fit(left_out[:, column], labels[:, column]) for column in range(len(names))]
    slope = np.array([1.0 if curve is None else curve.slope for curve in curves])
    offset = np.array([0.0 if curve is None else curve.offset for curve in curves])
    weights = probe.coefficients / probe.scale[:, None]
    told = [HeadClass(name, float(share), judged[name]) for name, share in zip(names, labels.mean(axis=0), strict=True)]
    offsets = offset + slope * (probe.intercepts - probe.mean @ weights)
    return Head(*of, judged["macro"], tuple(told), weights * slope, offsets)


def _three(values: Sequence[float | None]) -> tuple[float, float, float]:
    value, low, high = (math.nan if value is None else float(value) for value in values)
    return value, low, high


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
