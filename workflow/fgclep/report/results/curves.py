"""Macro-averaged ROC curves and calibration from the scores of the test records."""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from scipy.special import expit

from fgclep.report.results.metrics import Column, Condition
from fgclep.schemas.metrics import CALIBRATION_BINS

Points = list[tuple[float, float]]
FALSE_POSITIVE_RATES = np.linspace(0, 1, 101)
LEAST = 10  # probabilities in a bin that is shown


class Scores:
    """Labels and scores of the test records, by model, condition and task.

    Parameters
    ----------
    table
        With the schema ``CLASS_SCORES``.
    prompts
        The prompt set that is read of the zero-shot scores.
    """

    def __init__(self, table: pl.LazyFrame, prompts: str) -> None:
        keys = ["model", "protocol", "task", "label_set"]
        wanted = table.filter(pl.col("setting").is_in(["", prompts])).select(*keys, "labels", "scores")
        self._parts = wanted.collect(engine="streaming").partition_by(keys, as_dict=True, include_key=False)

    def get(self, model: str, condition: Condition, column: Column) -> tuple[np.ndarray, np.ndarray] | None:
        """Labels (bool) and scores (logits), each of shape (records, classes); ``None`` if there are none."""
        part = self._parts.get((model, condition.protocol, column.task, column.label_set))
        if part is None:
            return None
        width = len(part["labels"][0])
        labels, scores = (part[name].list.to_array(width).to_numpy() for name in ("labels", "scores"))
        return labels.astype(bool), scores


def roc(labels: np.ndarray, scores: np.ndarray) -> Points:
    """Mean of the classes' ROC curves, each with the same weight, at every hundredth of the false positive rate.

    Parameters
    ----------
    labels, scores
        Of shape (records, classes).

    Returns
    -------
    list of (float, float)
        False and true positive rates, from (0, 0); empty if no class has positives and negatives.
    """
    curves = []
    for positive, score in zip(labels.T, scores.T, strict=True):
        if positive.any() and not positive.all():
            order = np.argsort(-score, kind="stable")
            last = np.append(np.diff(score[order]) != 0, True)  # of equal scores
            true, false = (np.append(0, kind[order].cumsum()[last]) / kind.sum() for kind in (positive, ~positive))
            curves.append(np.interp(FALSE_POSITIVE_RATES, false, true))
    if not curves:
        return []
    mean = np.mean(curves, axis=0)
    return [(0.0, 0.0), *zip(FALSE_POSITIVE_RATES.tolist(), mean.tolist(), strict=True)]


def reliability(labels: np.ndarray, scores: np.ndarray) -> Points:
    """Share of positives against the mean probability, in bins of probability, over all classes together.

    Parameters
    ----------
    labels, scores
        Of shape (records, classes); scores are logits or log odds.

    Returns
    -------
    list of (float, float)
        Mean probability and share of positives of every bin with ``LEAST`` probabilities or more.
    """
    probabilities, positive = expit(scores.astype(np.float64)).ravel(), labels.ravel()
    place = np.searchsorted(np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1], probabilities)
    counts, predicted, observed = (
        np.bincount(place, weights, minlength=CALIBRATION_BINS) for weights in (None, probabilities, positive)
    )
    full = counts >= LEAST
    means = (values[full] / counts[full] for values in (predicted, observed))
    return [(float(x), float(y)) for x, y in zip(*means, strict=True)]


def by_task(
    scores: Scores,
    columns: Mapping[str, Column],
    series: Mapping[str, tuple[str, Condition]],
    curve: Callable[[np.ndarray, np.ndarray], Points],
) -> dict[str, dict[str, Points]]:
    """Compute the points of a curve for every task and series.

    Parameters
    ----------
    scores
        Of the test records.
    columns
        Tasks by their names.
    series
        For the name of each series its model and condition.
    curve
        ``roc`` or ``reliability``.
    """
    panels: dict[str, dict[str, Points]] = {}
    for name, column in columns.items():
        for label, (model, condition) in series.items():
            found = scores.get(model, condition, column)
            if found and (points := curve(*found)):
                panels.setdefault(name, {})[label] = points
    return panels
