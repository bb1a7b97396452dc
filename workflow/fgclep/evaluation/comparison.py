"""Is one model better than another? Differences of macro AUROC on the same records, by a paired bootstrap."""

from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
from scipy.stats import norm

from fgclep.errors import UserError
from fgclep.evaluation.metrics import INTERVAL, macro_aurocs, patient_weights
from fgclep.evaluation.scores import Evaluation, Scored


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust p-values for the number of tests (Holm 1979, Scand J Statist 6:65-70).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def compare(scored: Mapping[tuple[str, Evaluation], Scored], resamples: int, seed: int) -> list[dict[str, object]]:
    """Compare every two models in each evaluation that both have.

    All models are evaluated on the same resamples of the patients, so that what is common to them cancels. The
    interval of the difference is that of its percentiles; p is two-sided, by the normal distribution with the standard
    error of the resampled differences, as counting resamples could not tell p below their number. It is corrected by
    Holm's method over the tasks and models of a protocol and setting.

    Parameters
    ----------
    scored
        By model and evaluation, see ``read_scores``.
    resamples
        Of the patients; below 2 there is neither interval nor p.
    seed
        Of the resampling.

    Returns
    -------
    Rows with the columns of ``COMPARISONS``; ``None`` for what is not defined.

    Raises
    ------
    UserError
        If two models were not evaluated on the same records, labels and classes.
    """
    models: dict[Evaluation, list[str]] = {}
    for model, evaluation in scored:
        models.setdefault(evaluation, []).append(model)
    rows: list[dict[str, object]] = []
    for evaluation, names in models.items():
        if len(names) < 2:
            continue
        first = scored[names[0], evaluation]
        weights = patient_weights(first.patients, resamples, seed)
        resampled, values = {}, {}
        for name in names:
            own = scored[name, evaluation]
            _check_same(own, first, evaluation, (name, names[0]))
            resampled[name] = macro_aurocs(own.scores, own.labels, weights)
            values[name] = float(macro_aurocs(own.scores, own.labels, np.ones((len(own.ids), 1)))[0])
        for one, other in combinations(names, 2):
            task, label_set, protocol, setting = evaluation
            rows.append(
                {"task": task, "label_set": label_set, "protocol": protocol, "setting": setting}
                | {"model_a": one, "model_b": other, "value_a": values[one], "value_b": values[other]}
                | _difference(values[other] - values[one], resampled[other] - resampled[one])
                | {"n": len(first.ids)}
            )
    _correct(rows)
    return [{key: None if _is_nan(value) else value for key, value in row.items()} for row in rows]


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and np.isnan(value)


def _check_same(one: Scored, other: Scored, evaluation: Evaluation, names: tuple[str, str]) -> None:
    same = one.classes == other.classes and np.array_equal(one.ids, other.ids)
    if not same or not np.array_equal(one.labels, other.labels):
        what = "with the same labels" if same else "on the same records and classes"
        raise UserError(
            f"{' and '.join(names)} were not evaluated {what} ({', '.join(filter(None, evaluation))}), so that they "
            "cannot be compared; evaluate both with the same data and task files"
        )


def _difference(value: float, resampled: np.ndarray) -> dict[str, float]:
    known = resampled[~np.isnan(resampled)]
    result = {"difference": value, "ci_low": np.nan, "ci_high": np.nan, "p": np.nan}
    if len(known) < 2 or np.isnan(value):
        return result
    low, high = np.percentile(known, INTERVAL)
    error = float(known.std(ddof=1))
    p = 2 * float(norm.sf(abs(value) / error)) if error > 0 else float(value == 0)
    return {"difference": value, "ci_low": float(low), "ci_high": float(high), "p": p}


def _correct(rows: Iterable[dict]) -> None:
    families: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        row["p_holm"] = np.nan
        if not np.isnan(row["p"]):
            families.setdefault((row["protocol"], row["setting"]), []).append(row)
    for family in families.values():
        for row, p in zip(family, holm(np.array([row["p"] for row in family])), strict=True):
            row["p_holm"] = float(p)
