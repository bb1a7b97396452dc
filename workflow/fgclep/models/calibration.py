"""What a model's scores mean: the probability that an answer is true, in a population with a stated prevalence."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fgclep.errors import UserError
from fgclep.files import write_text

FILE = "calibration.json"  # in the folder of a model
FEWEST = 20  # with and without a finding, from which a curve is fitted
Question = tuple[str, ...]  # texts, of which one must fit


class Curve(NamedTuple):
    """Probability of a question whose score is x: the logistic function of ``slope`` x + ``offset``."""

    slope: float
    offset: float
    prevalence: float  # share of those it was fitted on of which the answer is true


_AS_IT_IS = Curve(1.0, 0.0, math.nan)


@dataclass(frozen=True)
class Calibration:
    """Curves of a model, by what is asked.

    Parameters
    ----------
    population
        In words, whose prevalence the probabilities assume.
    curves
        By the texts of a question, in lower case. A question that is not among them has the model's own probability.
    """

    population: str = ""
    curves: Mapping[Question, Curve] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: str | Path) -> "Calibration":
        """Read a model's file ``calibration.json``; a model without one has no curves.

        Raises
        ------
        UserError
            If the file is not of the form that ``write`` gives it.
        """
        path = Path(folder) / FILE
        if not path.exists():
            return cls()
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            curves = {
                tuple(map(str, row["texts"])): Curve(*(float(row[name]) for name in Curve._fields))
                for row in document["curves"]
            }
            population = str(document["population"])
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path} is no calibration ({error}); write it anew, or delete it") from None
        for texts, (slope, offset, prevalence) in curves.items():
            if not (math.isfinite(offset) and 0 <= slope < math.inf and 0 < prevalence < 1):
                raise UserError(
                    f"{path}: the curve of {', '.join(texts)!r} is {slope}, {offset}, {prevalence}; the slope is 0 or "
                    "more, the prevalence between 0 and 1"
                )
        return cls(population, curves)

    def write(self, folder: str | Path) -> None:
        """Write the file ``calibration.json`` into a model's folder, or remove it if there is no curve."""
        if not self.curves:
            (Path(folder) / FILE).unlink(missing_ok=True)
            return
        rows = [
            json.dumps({"texts": texts, **{name: round(value, 6) for name, value in curve._asdict().items()}})
            for texts, curve in self.curves.items()
        ]
        text = f'{{"population": {json.dumps(self.population)}, "curves": [\n' + ",\n".join(rows) + "\n]}\n"
        write_text(Path(folder) / FILE, text)

    def of(self, questions: Iterable[Iterable[str]]) -> np.ndarray:
        """Slope, offset and prevalence (NaN without a curve) of each question in any case, float64 (questions, 3)."""
        asked = (tuple(" ".join(text.lower().split()) for text in texts) for texts in questions)
        return np.array([self.curves.get(texts, _AS_IT_IS) for texts in asked]).reshape(-1, 3)

    def probabilities(self, scores: np.ndarray, questions: Iterable[Iterable[str]]) -> np.ndarray:
        """Probabilities, float64 (n, questions), of the scores of questions."""
        slope, offset, _ = self.of(questions).T
        return 1 / (1 + np.exp(-(slope * scores + offset)))


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
