"""Retrieval as a table of metrics: recall at k and median rank in both directions, with intervals over patients."""

import numpy as np

from fgclep.evaluation.metrics import have_enough_patients, limits, patient_weights
from fgclep.schemas.metrics import MIN_PATIENTS, RECALLS


def retrieval_metrics(ranks: np.ndarray, patients: np.ndarray, resamples: int, seed: int) -> list[dict[str, object]]:
    """Recall at 1, 5 and 10 and median rank of queries.

    Parameters
    ----------
    ranks
        Of the first right answer to each query, from 1, shape (queries,).
    patients
        Of each query. Intervals are percentiles over resamples of these; the gallery stays as it is. There is none for
        a recall of which fewer than ``MIN_PATIENTS`` are hits or misses, and for the median rank of fewer in all.
    resamples
        0: no intervals.
    seed
        Of the resampling.

    Returns
    -------
    Rows with the keys metric, class, value, ci_low, ci_high, n, n_pos, patients_pos, as
    ``evaluation.metrics.evaluate`` returns them; no value without queries.
    """
    weights = patient_weights(patients, resamples, seed)
    one = np.ones((len(ranks), 1))
    names = [*(f"recall@{k}" for k in RECALLS), "median_rank"]
    among = len(np.unique(patients))
    enough = [*have_enough_patients(ranks[:, None] <= np.array(RECALLS), patients), among >= MIN_PATIENTS]
    rows: list[dict[str, object]] = []
    for name, is_enough, point, resampled in zip(
        names, enough, _measures(ranks, one), _measures(ranks, weights), strict=True
    ):
        value = float(point[0]) if len(ranks) else None
        bounds = [None if np.isnan(bound) or not is_enough else bound for bound in limits(resampled)]
        counts = {"n": len(ranks), "n_pos": len(ranks), "patients_pos": among}
        rows.append(
            {"metric": name, "class": "all", "value": value, "ci_low": bounds[0], "ci_high": bounds[1], **counts}
        )
    return rows


def _measures(ranks: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    if not len(ranks):
        return [np.full(weights.shape[1], np.nan)] * (len(RECALLS) + 1)
    total = weights.sum(axis=0)
    return [*(((ranks <= k) @ weights) / total for k in RECALLS), _median(ranks, weights)]


def _median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Median of values that count several times: of an even number the lower one."""
    order = np.argsort(values, kind="stable")
    running = weights[order].cumsum(axis=0)
    return values[order][(running >= running[-1] / 2).argmax(axis=0)]
