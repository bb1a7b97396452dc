"""The records of a task, from a table of embeddings."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from fgclep.errors import UserError
from fgclep.evaluation.tasks import Task
from fgclep.keys import KEY
from fgclep.schemas.splits import SPLIT
from fgclep.tables import read_table

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskRecords:
    """Records that belong to a task.

    Parameters
    ----------
    ids, patients, splits
        Id, patient and split (train, val or test) of each record, shape (n,).
    vectors
        Features or embeddings, float32, shape (n, d).
    labels
        Shape (n, classes), bool.
    """

    ids: np.ndarray
    patients: np.ndarray
    splits: np.ndarray
    vectors: np.ndarray
    labels: np.ndarray

    def of(self, split: str) -> "TaskRecords":
        """Return the records of one split, or those of every split for ``all``."""
        chosen = np.ones(len(self.splits), dtype=bool) if split == "all" else self.splits == split
        return TaskRecords(
            *(part[chosen] for part in (self.ids, self.patients, self.splits, self.vectors, self.labels))
        )


def in_published_split(table: pa.Table, split: pa.Table, task: Task) -> pa.Table:
    """Give the records the split of a benchmark, and leave out those that it does not list.

    Parameters
    ----------
    table
        With the schema ``EMBEDDINGS``.
    split
        With the schema ``SPLIT``.
    task
        For the log, which counts the records that only one of the two has.
    """
    split_of = dict(zip(split["record_id"].to_pylist(), split["split"].to_pylist(), strict=True))
    ids = table["record_id"].to_pylist()
    found = [split_of.get(name) for name in ids]
    kept = table.filter(pa.array([name is not None for name in found], pa.bool_()))
    LOG.info(
        "%s: of the %d records in the published split, %d are here and %d are not; %d others are left out",
        task.name,
        len(split_of),
        len(kept),
        len(split_of) - len(kept),
        len(ids) - len(kept),
    )
    place = kept.schema.get_field_index("split")
    return kept.set_column(place, kept.schema.field(place), pa.array([name for name in found if name], pa.string()))


def splits_of_tasks(paths: Sequence[str]) -> dict[str, pa.Table]:
    """Read the splits that ``fetch_split`` wrote: name of the task, which is that of the file, to the table."""
    return {Path(path).stem: read_table(path, SPLIT) for path in paths}


def task_records(
    table: pa.Table, task: Task, column: str, published: Mapping[str, pa.Table] | None = None
) -> TaskRecords:
    """Select the records with at least one class of the task, in the order of their ids.

    Parameters
    ----------
    table
        With the schema ``EMBEDDINGS``.
    task
        Gives the labels.
    column
        ``features``, ``embedding`` or ``patches``, of which each record's are one row of ``vectors``.
    published
        Splits by task, with the schema ``SPLIT``; one that the task names replaces the table's.

    Raises
    ------
    UserError
        If the table holds records of another source, the split that the task names is not given, or a patient stands
        in two splits: training and testing on one person would inflate the result.
    """
    vectors = table[column]
    table = table.select([*KEY, "patient_id", "split", "codes"])
    table = table.append_column("row", pa.array(range(len(table)), pa.int64()))
    sources = set(table["source"].unique().to_pylist())
    if sources - {task.source}:
        raise UserError(f"the task {task.name} is made of {task.source}, and the embeddings are of {sorted(sources)}")
    if task.split is not None:
        if not published or task.name not in published:
            raise UserError(f"the task {task.name} names a split; give its table, {task.name}.parquet, with --splits")
        table = in_published_split(table, published[task.name], task)
    table = table.sort_by("record_id")
    labels = task.labels(table["codes"].to_pylist())
    member = labels.any(axis=1)
    ids = np.asarray(table["record_id"].to_pylist(), dtype=str)
    patients = np.asarray(table["patient_id"].to_pylist(), dtype=str)
    splits = np.asarray(table["split"].to_pylist(), dtype=str)
    pairs = np.unique(np.stack([patients, splits]), axis=1)
    names, counts = np.unique(pairs[0], return_counts=True)
    if (counts > 1).any():
        raise UserError(f"{task.source}: the patient {names[counts > 1][0]} stands in more than one split")
    rows = table["row"].filter(pa.array(member))
    flat = vectors.take(rows).combine_chunks().flatten().to_numpy(zero_copy_only=False)
    matrix = flat.reshape(len(rows), len(flat) // max(1, len(rows)))
    return TaskRecords(ids[member], patients[member], splits[member], matrix, labels[member])
