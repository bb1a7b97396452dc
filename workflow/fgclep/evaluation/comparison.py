"""Is one model better than another? Differences of macro AUROC on the same records, by a paired bootstrap."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.special import stdtr

from fgclep.errors import UserError
from fgclep.evaluation.metrics import have_enough_patients, have_spread, limits, macro_aurocs, patient_weights
from fgclep.evaluation.scores import Evaluation, Scored
from fgclep.schemas.comparisons import MEAN


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust p-values for the number of tests (Holm 1979, Scand J Statist 6:65-70).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


class Resamples:
    """Bootstrap resamples of the patients, on which every model is evaluated, so that what is common to them cancels.

    Tasks of one source share its patients. They are resampled together where protocol and setting are the same, so that
    a mean over tasks has the interval that it should have.

    Averaged are the classes with enough patients on either side (``metrics.MIN_PATIENTS``). Where a task has none, all
    are, and the resamples say nothing.

    Parameters
    ----------
    scored
        Of any model, every evaluation: its patients, records, labels and classes count, not its scores.
    resamples, seed
        Their number, and the seed of the draw.
    """

    def __init__(self, scored: Mapping[Evaluation, Scored], resamples: int, seed: int) -> None:
        self._scored = dict(scored)
        self._weights: dict[Evaluation, np.ndarray] = {}
        sources = sorted({own.source for own in scored.values()})
        together: dict[tuple[str, str, str], list[Evaluation]] = {}
        for evaluation, own in scored.items():
            together.setdefault((own.source, *evaluation[2:]), []).append(evaluation)
        for (source, *_), evaluations in together.items():
            patients = [scored[evaluation].patients for evaluation in evaluations]
            drawn = patient_weights(np.concatenate(patients), resamples, seed + sources.index(source))
            ends = np.cumsum([len(some) for some in patients])
            for evaluation, weights in zip(evaluations, np.split(drawn, ends[:-1]), strict=True):
                # beside the records as they are; small numbers, that all may stay in memory
                self._weights[evaluation] = np.insert(weights, 0, 1, axis=1).astype(np.uint16)
        self._supported = {
            evaluation: have_enough_patients(own.labels, own.patients) for evaluation, own in scored.items()
        }

    def classes(self, evaluation: Evaluation) -> int:
        """Return the number of classes that are averaged."""
        labels, supported = self._scored[evaluation].labels, self._supported[evaluation]
        return int(supported.sum() or (labels.any(axis=0) & ~labels.all(axis=0)).sum())

    def macro_aurocs(self, name: str, evaluation: Evaluation, own: Scored) -> np.ndarray:
        """Macro AUROC of a model's scores.

        Returns
        -------
        Shape (1 + resamples,): of the records as they are, and of every resample; NaN where no class is defined, and in
        every resample where no class has enough patients.

        Raises
        ------
        UserError
            If the model was not evaluated on the same records, labels and classes.
        """
        _check_same(own, self._scored[evaluation], evaluation, name)
        supported, weights = self._supported[evaluation], self._weights[evaluation]
        if supported.any():
            return macro_aurocs(own.scores[:, supported], own.labels[:, supported], weights)
        values = np.full(weights.shape[1], np.nan)
        values[:1] = macro_aurocs(own.scores, own.labels, weights[:, :1])
        return values


def over_tasks(found: Mapping[Evaluation, np.ndarray]) -> dict[tuple[str, str], np.ndarray]:
    """Mean over the tasks by protocol and setting; of a task with several label sets the first counts."""
    tasks: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for (task, _, protocol, setting), values in found.items():
        tasks.setdefault((protocol, setting), {}).setdefault(task, values)
    return {key: np.mean(list(own.values()), axis=0) for key, own in tasks.items()}


def compare(scored: Mapping[tuple[str, Evaluation], Scored], resamples: int, seed: int) -> list[dict[str, object]]:
    """Compare every two models in each evaluation that both have, and by the mean over the tasks (``MEAN``).

    All models are evaluated on the same resamples of the patients, see ``Resamples``. The
    interval of the difference is that of its percentiles; p is two-sided, by Student's t with the standard error of the
    resampled differences and the patients less two as degrees of freedom, and never below 1 / (resamples + 1) and
    2 / 2^patients, what so many resamples, and all exchanges of the models within patients, can tell. Where these
    differences are all the same, or no class has enough patients (see ``Resamples``), neither is defined. p is
    corrected by Holm's method over the tasks and models of a protocol and setting, the mean
    left out.

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
    models = {evaluation: names for evaluation, names in models.items() if len(names) > 1}
    firsts = {evaluation: scored[names[0], evaluation] for evaluation, names in models.items()}
    drawn = Resamples(firsts, resamples, seed)
    found: dict[str, dict[Evaluation, np.ndarray]] = {}
    rows: list[dict[str, object]] = []
    for evaluation, names in models.items():
        for name in names:
            macros = drawn.macro_aurocs(name, evaluation, scored[name, evaluation])
            found.setdefault(name, {})[evaluation] = macros
        values = {name: found[name][evaluation] for name in names}
        rows += _pairs(evaluation, values, [firsts[evaluation]], drawn.classes(evaluation))
    rows += _means(found, firsts, drawn)
    _correct(rows)
    return [{key: None if _is_nan(value) else value for key, value in row.items()} for row in rows]


def _means(
    found: Mapping[str, Mapping[Evaluation, np.ndarray]], firsts: Mapping[Evaluation, Scored], drawn: Resamples
) -> list[dict[str, object]]:
    """Rows of the means over the tasks, for the models that have them all, where there is more than one task."""
    rows = []
    for protocol, setting in dict.fromkeys(evaluation[2:] for evaluation in firsts):
        own = [evaluation for evaluation in firsts if evaluation[2:] == (protocol, setting)]
        if len({task for task, *_ in own}) > 1:
            values = {
                name: over_tasks({evaluation: macros[evaluation] for evaluation in own})[protocol, setting]
                for name, macros in found.items()
                if set(own) <= set(macros)
            }
            scored = [firsts[evaluation] for evaluation in own]
            rows += _pairs((MEAN, MEAN, protocol, setting), values, scored, sum(map(drawn.classes, own)))
    return rows


def _pairs(
    evaluation: Evaluation, values: Mapping[str, np.ndarray], scored: Sequence[Scored], classes: int
) -> list[dict[str, object]]:
    """Rows of every two models, from their macro AUROCs as they are and resampled, on the records of ``scored``."""
    task, label_set, protocol, setting = evaluation
    patients = {(own.source, patient) for own in scored for patient in np.unique(own.patients).tolist()}
    return [
        {"task": task, "label_set": label_set, "protocol": protocol, "setting": setting}
        | {"model_a": one, "model_b": other, "value_a": float(values[one][0]), "value_b": float(values[other][0])}
        | _difference(values[other] - values[one], len(patients))
        | {"n": sum(len(own.ids) for own in scored), "classes": classes}
        for one, other in combinations(values, 2)
    ]


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and np.isnan(value)


def _check_same(one: Scored, other: Scored, evaluation: Evaluation, name: str) -> None:
    same = one.classes == other.classes and np.array_equal(one.ids, other.ids)
    if not same or not np.array_equal(one.labels, other.labels):
        what = "with the same labels" if same else "on the same records and classes"
        raise UserError(
            f"{name} and the models before it were not evaluated {what} ({', '.join(filter(None, evaluation))}), so "
            "that they cannot be compared; evaluate all with the same data and task files"
        )


def _difference(values: np.ndarray, patients: int) -> dict[str, float]:
    """Difference with its interval and p, from the difference as it is and those of the resamples of the patients."""
    value, resampled = float(values[0]), values[1:]
    known = resampled[~np.isnan(resampled)]
    result = {"difference": value, "ci_low": np.nan, "ci_high": np.nan, "p": np.nan}
    if not have_spread(known) or np.isnan(value):
        return result
    low, high = limits(known)
    least = max(1 / (len(known) + 1), 2.0 ** (1 - patients))
    p = max(2 * float(stdtr(patients - 2, -abs(value) / known.std(ddof=1))), least)
    return {"difference": value, "ci_low": low, "ci_high": high, "p": p}


def _correct(rows: Iterable[dict]) -> None:
    families: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        row["p_holm"] = np.nan
        if not np.isnan(row["p"]) and row["task"] != MEAN:
            families.setdefault((row["protocol"], row["setting"]), []).append(row)
    for family in families.values():
        for row, p in zip(family, holm(np.array([row["p"] for row in family])), strict=True):
            row["p_holm"] = float(p)
