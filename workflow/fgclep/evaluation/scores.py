"""Tables of what a model has scored, record by record: for curves, and for comparing models."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fgclep.evaluation.task_records import TaskRecords
from fgclep.evaluation.tasks import Task
from fgclep.schemas.class_scores import CLASS_SCORES
from fgclep.tables import read_table

Evaluation = tuple[str, str, str, str]  # task, label set, protocol, setting
PLACE = ("model", "task", "label_set", "protocol", "setting")


@dataclass(frozen=True)
class Scored:
    """Records of a task that a model has scored, by one protocol in one setting.

    Parameters
    ----------
    classes
        Their names.
    ids, patients
        Shape (n,).
    labels, scores
        Shape (n, classes), bool and float32.
    source
        Of the records: tasks of one source share its patients.
    """

    classes: tuple[str, ...]
    ids: np.ndarray
    patients: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    source: str


def score_table(
    model: str, task: Task, protocol: str, setting: str, records: TaskRecords, scores: np.ndarray
) -> pa.Table:
    """Table with the schema ``CLASS_SCORES`` of some records and their scores (n, classes)."""
    n = len(records.ids)
    same = {"model": model, "task": task.name, "label_set": task.label_set, "protocol": protocol, "setting": setting}
    columns: dict[str, object] = {name: [value] * n for name, value in same.items()}
    columns |= {"source": [task.source] * n, "record_id": records.ids, "patient_id": records.patients}
    columns |= {"classes": [task.class_names] * n, "labels": list(records.labels)}
    columns["scores"] = list(scores.astype(np.float32))
    return pa.table(columns, schema=CLASS_SCORES)


def read_scores(paths: Iterable[str | Path]) -> dict[tuple[str, Evaluation], Scored]:
    """Read tables with the schema ``CLASS_SCORES``, by model and evaluation, in the order of the tables."""
    found: dict[tuple[str, Evaluation], list[pa.Table]] = {}
    for path in paths:
        table = read_table(path, CLASS_SCORES)
        names = pc.binary_join_element_wise(*(table[name] for name in PLACE), "\n")
        for name in names.unique():
            part = table.filter(pc.equal(names, name))
            model, *evaluation = (part[column][0].as_py() for column in PLACE)
            found.setdefault((model, tuple(evaluation)), []).append(part)
    return {key: _scored(pa.concat_tables(parts)) for key, parts in found.items()}


def _scored(table: pa.Table) -> Scored:
    classes = tuple(table["classes"][0].as_py())
    labels, scores = (
        table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(len(table), len(classes))
        for name in ("labels", "scores")
    )
    ids, patients = (np.asarray(table[name].to_pylist(), dtype=str) for name in ("record_id", "patient_id"))
    return Scored(classes, ids, patients, labels.astype(bool), scores, table["source"][0].as_py())
