"""Trainings that differ in one setting, with several seeds each: means, intervals, and differences from a reference."""

from collections.abc import Mapping

import numpy as np
from scipy.special import stdtrit

from fgclep.evaluation.comparison import over_tasks
from fgclep.evaluation.metrics import have_spread, limits
from fgclep.evaluation.scores import Evaluation
from fgclep.schemas.comparisons import MEAN


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return the mean over seeds and its 95 % interval by Student's t; NaN limits where they do not differ.

    >>> interval(np.array([1.0, 2.0, 3.0]))
    (2.0, -0.484..., 4.484...)
    """
    mean = float(values.mean())
    if not have_spread(values):
        return mean, float("nan"), float("nan")
    half = float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half


def summarize(
    macros: Mapping[str, Mapping[Evaluation, np.ndarray]], runs: Mapping[str, tuple[str, int]], reference: str
) -> list[dict]:
    """Summarize macro AUROCs over the seeds of every variant.

    Parameters
    ----------
    macros
        For each model and evaluation the macro AUROC of the records as they are and of resamples of the patients, the
        same for all models (see ``comparison.Resamples``), shape (1 + resamples,).
    runs
        For each model its variant and its seed.
    reference
        The variant that the others are compared with, seed by seed and resample by resample.

    Returns
    -------
    list of dict
        One row per variant, protocol, setting and task, and over the tasks that all runs define (``MEAN``): ``seeds``,
        ``mean`` over them, and ``difference`` from the reference. Each has two 95 % intervals: over the seeds, by
        Student's t (``ci_low``, ``difference_low`` ...), which says what another training would give on these
        patients; and over the patients, of the mean over the seeds (``patients_low``, ``difference_patients_low`` ...),
        which says what these trainings would give on other patients. An interval is NaN where what it is taken of does
        not differ, and that over the patients in a task without a class that enough patients have. A task that some run
        does not define has no row.
    """
    found: dict[Evaluation, dict[tuple[str, int], np.ndarray]] = {}
    for model, evaluated in macros.items():
        for evaluation, values in evaluated.items():
            if not np.isnan(values[0]):
                found.setdefault(evaluation, {})[runs[model]] = values
    every = set(runs.values())
    found = {evaluation: own for evaluation, own in found.items() if set(own) == every}
    tables = {(protocol, setting, task): own for (task, _, protocol, setting), own in found.items()}
    for run in every:
        for place, values in over_tasks({evaluation: own[run] for evaluation, own in found.items()}).items():
            tables.setdefault((*place, MEAN), {})[run] = values
    seeds = sorted({seed for _, seed in every})
    rows = []
    for variant in dict.fromkeys(variant for variant, _ in runs.values()):
        for (protocol, setting, task), own in tables.items():
            mine, base = (np.stack([own[name, seed] for seed in seeds]) for name in (variant, reference))
            rows.append(
                {"variant": variant, "protocol": protocol, "setting": setting, "task": task, "seeds": len(seeds)}
                | _summary(mine, "mean", "ci", "patients")
                | _summary(mine - base, "difference", "difference", "difference_patients")
            )
    return rows


def _summary(values: np.ndarray, name: str, over_seeds: str, over_patients: str) -> dict[str, float]:
    """Mean and both intervals of values (seeds, 1 + resamples)."""
    mean, low, high = interval(values[:, 0])
    patients_low, patients_high = limits(values[:, 1:].mean(axis=0))
    return {
        name: mean,
        f"{over_seeds}_low": low,
        f"{over_seeds}_high": high,
        f"{over_patients}_low": patients_low,
        f"{over_patients}_high": patients_high,
    }
