"""The CSV tables of metrics and comparisons: numbers in full precision, empty where not defined."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from fgclep.documents import csv_text, csv_value, read_csv
from fgclep.evaluation.tasks import Task
from fgclep.files import write_text
from fgclep.schemas.comparisons import COMPARISONS
from fgclep.schemas.metrics import METRICS


def metric_rows(
    measured: Iterable[Mapping[str, object]],
    model: str,
    task: Task,
    protocol: str,
    fraction: float,
    seed: int,
    setting: str = "",
) -> list[dict[str, object]]:
    """Add to what ``evaluate`` returns which model, task, protocol and setting it is of, and the draw of records."""
    place = {"model": model, "task": task.name, "label_set": task.label_set, "protocol": protocol, "setting": setting}
    return [{**place, "fraction": fraction, "seed": seed, **row} for row in measured]


def write_metrics(rows: Iterable[Mapping[str, object]], path: str | Path) -> None:
    """Write rows with the keys of ``METRICS``; see ``_write``."""
    _write(rows, Path(path), METRICS)


def write_comparisons(rows: Iterable[Mapping[str, object]], path: str | Path) -> None:
    """Write rows with the keys of ``COMPARISONS``; see ``_write``."""
    _write(rows, Path(path), COMPARISONS)


def _write(rows: Iterable[Mapping[str, object]], path: Path, schema: pa.Schema) -> None:
    """Write a table, atomically.

    Raises ``ValueError`` naming the file and the column if a key is missing or unknown or a value is absent where the
    schema demands one.
    """
    lines: list[Sequence[object]] = [schema.names]
    names, needed = set(schema.names), [field.name for field in schema if not field.nullable]
    for row in rows:
        wrong = sorted(row.keys() ^ names)
        wrong += [name for name in needed if row.get(name) in (None, "")]
        if wrong:
            raise ValueError(f"{path}: column {wrong[0]!r} is missing, unknown or empty in {dict(row)}")
        lines.append([row[name] for name in schema.names])
    write_text(path, csv_text(lines))


def read_metrics(path: str | Path) -> list[dict[str, str]]:
    """Read a table as text, so that numbers pass through unchanged.

    Raises ``UserError`` naming the file if it is truncated or its columns are not those of ``METRICS``.
    """
    rows = read_csv(Path(path), METRICS.names)
    return [{name: csv_value(text) if text else text for name, text in row.items()} for row in rows]


def collect(tables: Iterable[Iterable[dict[str, str]]]) -> list[dict[str, str]]:
    """Join tables, ordered by task, model, protocol, setting, fraction and seed, and as they stand within these."""
    rows = [row for table in tables for row in table]
    return sorted(
        rows,
        key=lambda row: (
            *(row[name] for name in ("task", "model", "protocol", "setting")),
            float(row["fraction"]),
            int(row["seed"]),
        ),
    )
