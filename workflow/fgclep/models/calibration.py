"""What a model's scores mean: the probability that an answer is true, in a population with a stated prevalence."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fgclep.errors import UserError
from fgclep.files import write_text
from fgclep.models.saved import WEIGHTS

FILE = "calibration.json"  # in the folder of a model
FEWEST = 20  # with and without a finding, from which a curve is fitted
Question = tuple[str, ...]  # texts, of which one must fit


class Curve(NamedTuple):
    """Probability of a question whose score is x: the logistic function of ``slope`` x + ``offset``."""

    slope: float
    offset: float
    prevalence: float  # share of those it was fitted on of which the answer is true


_AS_IT_IS = Curve(1.0, 0.0, math.nan)


def question_of(texts: Iterable[str]) -> Question:
    """Texts of which one must fit, as curves are found by them: in lower case, each once, in alphabetical order.

    >>> question_of(["Sinus  rhythm", "SR", "sr"])
    ('sinus rhythm', 'sr')
    """
    return tuple(sorted({" ".join(text.lower().split()) for text in texts}))


@dataclass(frozen=True)
class Calibration:
    """Curves of a model, by what is asked.

    Parameters
    ----------
    population
        In words, whose prevalence the probabilities assume.
    curves
        By what ``question_of`` makes of the texts that are asked. A question that is not among them has the model's own
        probability.
    """

    population: str = ""
    curves: Mapping[Question, Curve] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: str | Path) -> "Calibration":
        """Read a model's file ``calibration.json``; a model without one has no curves.

        Raises
        ------
        UserError
            If the file is not of the form that ``write`` gives it, or the weights beside it are others than it is for.
        """
        path = Path(folder) / FILE
        if not path.exists():
            return cls()
        way_out = "delete the file; benchmarks/calibrate.py makes it anew"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            rows = [(row["texts"], *(float(row[name]) for name in Curve._fields)) for row in document["curves"]]
            population, weights = document["population"], document["weights"]
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path} is no calibration ({error}); {way_out}") from None
        if weights != weights_digest(folder):
            raise UserError(f"{path} is for other weights than those beside it; {way_out}")
        if not isinstance(population, str) or not population.strip():
            raise UserError(f"{path}: the population is {population!r}, and must be named; {way_out}")
        curves: dict[Question, Curve] = {}
        for texts, slope, offset, prevalence in rows:
            known = isinstance(texts, list) and texts and all(isinstance(text, str) and text.strip() for text in texts)
            if not known or list(question_of(texts)) != texts or tuple(texts) in curves:
                raise UserError(
                    f"{path}: the texts {texts!r} must be a list of different texts in lower case and alphabetical "
                    f"order, which no other curve has; {way_out}"
                )
            if not (math.isfinite(offset) and 0 <= slope < math.inf and 0 < prevalence < 1):
                raise UserError(
                    f"{path}: the curve of {', '.join(texts)!r} is {slope}, {offset}, {prevalence}; the slope is 0 or "
                    f"more, the offset finite, the prevalence between 0 and 1; {way_out}"
                )
            curves[tuple(texts)] = Curve(slope, offset, prevalence)
        return cls(population, curves)

    def write(self, folder: str | Path) -> None:
        """Write the file ``calibration.json`` beside a model's weights, or remove it if there is no curve."""
        if not self.curves:
            (Path(folder) / FILE).unlink(missing_ok=True)
            return
        rows = [
            json.dumps({"texts": texts, **{name: round(value, 6) for name, value in curve._asdict().items()}})
            for texts, curve in self.curves.items()
        ]
        head = json.dumps({"population": self.population, "weights": weights_digest(folder)}).removesuffix("}")
        write_text(Path(folder) / FILE, f'{head}, "curves": [\n' + ",\n".join(rows) + "\n]}\n")

    def of(self, questions: Iterable[Iterable[str]]) -> np.ndarray:
        """Slope, offset and prevalence (NaN without a curve) of each question in any case, float64 (questions, 3)."""
        return np.array([self.curves.get(question_of(texts), _AS_IT_IS) for texts in questions]).reshape(-1, 3)

    def remark(self, text: str) -> str:
        """Say what the probability of a text assumes."""
        prevalence = self.of([[text]])[0, 2]
        if math.isnan(prevalence):
            return f"the probabilities of {text!r} are the model's own and not calibrated"
        return f"the probabilities of {text!r} assume that {prevalence:.1%} have it, as of {self.population}"

    def probabilities(self, scores: np.ndarray, questions: Iterable[Iterable[str]]) -> np.ndarray:
        """Probabilities, float64 (n, questions), of the scores of questions."""
        slope, offset, _ = self.of(questions).T
        return 1 / (1 + np.exp(-(slope * scores + offset)))


def weights_digest(folder: str | Path) -> str | None:
    """Hash a model's weights, if they are one file: 16 hexadecimal digits; else ``None``."""
    path = Path(folder) / WEIGHTS
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else None


def fit(scores: np.ndarray, labels: np.ndarray) -> Curve | None:
    """Fit a question's curve by maximum likelihood (Platt 1999, Advances in Large Margin Classifiers, 61-74).

    As there, labels count as (n + 1) / (n + 2) and 1 / (m + 2) with the numbers n of the true and m of the others, so
    that the slope stays finite where scores separate them. A score that falls with the truth gets the slope 0.

    Parameters
    ----------
    scores
        Shape (n,).
    labels
        Whether the answer is true, bool (n,).

    Returns
    -------
    Curve, or ``None`` with fewer than ``FEWEST`` of either label.
    """
    true, false = int(labels.sum()), int((~labels).sum())
    if min(true, false) < FEWEST:
        return None
    from sklearn.linear_model import LogisticRegression  # takes a second, and a model that is asked needs none

    target = np.where(labels, (true + 1) / (true + 2), 1 / (false + 2))
    each = np.repeat([1, 0], len(scores))
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    model.fit(np.tile(scores.astype(np.float64), 2)[:, None], each, np.concatenate([target, 1 - target]))
    prevalence = true / (true + false)
    if model.coef_[0, 0] <= 0:
        return Curve(0.0, math.log(true / false), prevalence)
    return Curve(float(model.coef_[0, 0]), float(model.intercept_[0]), prevalence)
