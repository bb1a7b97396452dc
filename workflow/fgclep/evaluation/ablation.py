"""Trainings that differ in one setting, with several seeds each: means, intervals, and differences from a reference."""

from collections.abc import Iterable, Mapping

import numpy as np
from scipy import stats

MEAN = "mean"  # in the column of tasks: over all of them


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return the mean over seeds and its 95 % interval by Student's t distribution; NaN limits for a single seed.

    >>> interval(np.array([1.0, 2.0, 3.0]))
    (2.0, -0.484..., 4.484...)
    """
    mean = float(values.mean())
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half


def summarize(metrics: Iterable[Mapping[str, str]], runs: Mapping[str, tuple[str, int]], reference: str) -> list[dict]:
    """Summarize macro AUROCs over the seeds of every variant.

    Parameters
    ----------
    metrics
        Rows with the columns of ``schemas.metrics.METRICS``, as text.
    runs
        For each model its variant and its seed.
    reference
        The variant that the others are compared with, seed by seed.

    Returns
    -------
    list of dict
        One row per variant, protocol and task, and over the tasks that all runs define (``MEAN``): ``seeds``, ``mean``,
        ``ci_low``, ``ci_high``, and the difference from the reference with its interval. A task that is not defined in
        some run has no row.
    """
    values: dict[tuple[str, str], dict[tuple[str, int], float]] = {}
    for row in metrics:
        if row["class"] == "macro" and row["metric"] == "auroc" and row["value"]:
            values.setdefault((row["protocol"], row["task"]), {})[runs[row["model"]]] = float(row["value"])
    every = set(runs.values())
    tables = {key: found for key, found in values.items() if set(found) == every}
    for protocol in sorted({protocol for protocol, _ in tables}):
        own = [found for (name, _), found in tables.items() if name == protocol]
        tables[protocol, MEAN] = {run: float(np.mean([found[run] for found in own])) for run in every}
    seeds = sorted({seed for _, seed in every})
    rows = []
    for variant in dict.fromkeys(variant for variant, _ in runs.values()):
        for (protocol, task), found in tables.items():
            mine, base = (np.array([found[name, seed] for seed in seeds]) for name in (variant, reference))
            mean, low, high = interval(mine)
            difference, below, above = interval(mine - base)
            rows.append(
                {"variant": variant, "protocol": protocol, "task": task, "seeds": len(seeds), "mean": mean}
                | {"ci_low": low, "ci_high": high, "difference": difference}
                | {"difference_low": below, "difference_high": above}
            )
    return rows
