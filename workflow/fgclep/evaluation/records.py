"""The records of a task, from a table of embeddings."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fgclep.evaluation.tasks import Task
from fgclep.stage import UserError


@dataclass(frozen=True)
class TaskRecords:
    """Records that belong to a task.

    Parameters
    ----------
    patients, splits
        Patient and split (train, val or test) of each record, shape (n,).
    vectors
        Features or embeddings, float32, shape (n, d).
    labels
        Shape (n, classes), bool.
    """

    patients: np.ndarray
    splits: np.ndarray
    vectors: np.ndarray
    labels: np.ndarray

    def of(self, split: str) -> "TaskRecords":
        """Return the records of one split, or those of every split for ``all``."""
        chosen = np.ones(len(self.splits), dtype=bool) if split == "all" else self.splits == split
        return TaskRecords(self.patients[chosen], self.splits[chosen], self.vectors[chosen], self.labels[chosen])


def task_records(table: pa.Table, task: Task, column: str) -> TaskRecords:
    """Select the records with at least one class of the task, in the order of their ids.

    Parameters
    ----------
    table
        With the schema ``EMBEDDINGS``.
    task
        Gives the labels.
    column
        ``features`` or ``embedding``.

    Raises
    ------
    UserError
        If the table holds records of another source, or a patient stands in two splits: training and testing on one
        person would inflate the result.
    """
    sources = set(table["source"].unique().to_pylist())
    if sources - {task.source}:
        raise UserError(f"the task {task.name} is made of {task.source}, and the embeddings are of {sorted(sources)}")
    table = table.sort_by("record_id")
    labels = task.labels(table["codes"].to_pylist())
    member = labels.any(axis=1)
    patients = np.asarray(table["patient_id"].to_pylist(), dtype=str)
    splits = np.asarray(table["split"].to_pylist(), dtype=str)
    pairs = np.unique(np.stack([patients, splits]), axis=1)
    names, counts = np.unique(pairs[0], return_counts=True)
    if (counts > 1).any():
        raise UserError(f"{task.source}: the patient {names[counts > 1][0]} stands in more than one split")
    flat = table[column].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors = flat.reshape(len(table), len(flat) // max(1, len(table)))
    return TaskRecords(patients[member], splits[member], vectors[member], labels[member])
