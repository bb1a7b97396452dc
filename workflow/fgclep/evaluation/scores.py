"""Tables of what a model has scored, record by record: for curves, and for comparing models."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from fgclep.evaluation.task_records import TaskRecords
from fgclep.evaluation.tasks import Task
from fgclep.schemas.class_scores import CLASS_SCORES
from fgclep.tables import read_table

Evaluation = tuple[str, str, str, str]  # task, label set, protocol, setting


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
    """

    classes: tuple[str, ...]
    ids: np.ndarray
    patients: np.ndarray
    labels: np.ndarray
    scores: np.ndarray


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
    found: dict[tuple[str, Evaluation], list[dict]] = {}
    for path in paths:
        for row in read_table(path, CLASS_SCORES).to_pylist():
            key = (row["model"], (row["task"], row["label_set"], row["protocol"], row["setting"]))
            found.setdefault(key, []).append(row)
    return {key: _scored(rows) for key, rows in found.items()}


def _scored(rows: Sequence[dict]) -> Scored:
    return Scored(
        tuple(rows[0]["classes"]),
        np.array([row["record_id"] for row in rows]),
        np.array([row["patient_id"] for row in rows]),
        np.array([row["labels"] for row in rows], dtype=bool),
        np.array([row["scores"] for row in rows], dtype=np.float32),
    )
