"""Measure rhythm, intervals, axes and amplitudes of every record of one database."""

import argparse
import logging
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from multiprocessing.pool import Pool
from multiprocessing.queues import Queue
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from fgclep.config.measurement import MeasurementSection
from fgclep.errors import UserError, reason_of
from fgclep.keys import KEY
from fgclep.measurement.measure import measure
from fgclep.progress import progress
from fgclep.schemas.measurements import LEAD_MEASURES, MEASUREMENTS, MEASURES
from fgclep.schemas.shards import SHARD
from fgclep.signals.encoding import decode_waveform, to_millivolts
from fgclep.sources import get_source
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, write_parts

LOG = logging.getLogger(__name__)
_COLUMNS = [*KEY, "sampling_rate", "n_samples", "gain", "baseline", "waveform"]
# path of a shard, number of a row group, and the database's own measurements by record id
Task = tuple[Path, int, dict[str, dict[str, float | None]]]


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, MeasurementSection)
    parser.add_argument("--source", required=True, help="key of the database")
    parser.add_argument(
        "--metadata", type=Path, nargs="?", help="folder that fetch_metadata wrote; none for a source without files"
    )
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write one row per record, in the order of the shards; what cannot be measured is null, and ``problem`` why."""
    settings: MeasurementSection = args.settings
    source = get_source(args.source)
    intervals = None
    if settings.intervals == "database" and source.intervals is not None:
        intervals = source.intervals(args.metadata)
    tasks = list(_tasks(args.shards, intervals))
    parts = _measured(tasks, min(settings.workers, max(len(tasks), 1)))
    write_parts(progress(parts, len(tasks), f"measure {source.key}", "group"), args.output, MEASUREMENTS)
    problems = read_table(args.output, MEASUREMENTS, ["problem"])["problem"]
    unmeasured = len(problems) - problems.null_count
    LOG.info("%s: %d records, %d could not be measured", source.key, len(problems), unmeasured)


def _tasks(shards: Sequence[Path], intervals: pl.DataFrame | None) -> Iterator[Task]:
    """Yield the row groups of the shards with the database's own measurements of their records."""
    for path in shards:
        ids = read_table(path, SHARD, ["record_id"])["record_id"].to_pylist()
        metadata, first = pq.read_metadata(path), 0
        for group in range(metadata.num_row_groups):
            last = first + metadata.row_group(group).num_rows
            yield path, group, _of_records(intervals, ids[first:last])
            first = last


def _of_records(intervals: pl.DataFrame | None, ids: list[str]) -> dict[str, dict[str, float | None]]:
    if intervals is None:
        return {}
    chosen = intervals.filter(pl.col("record_id").is_in(ids))
    return {row.pop("record_id"): row for row in chosen.iter_rows(named=True)}


def _measured(tasks: Iterable[Task], workers: int) -> Iterator[pa.Table]:
    """Measure row groups, and log what could not be measured.

    Nothing depends on the number of cores: one worker is this process, several are others, and each has one thread.
    """
    with threadpool_limits(1) if workers == 1 else _pool(workers) as pool:
        for table in map(_measure_group, tasks) if workers == 1 else pool.imap(_measure_group, tasks):
            for row in table.filter(pc.is_valid(table["problem"])).select([*KEY, "problem"]).to_pylist():
                LOG.warning("%s/%s: %s", *row.values())
            yield table


@contextmanager
def _pool(workers: int) -> Iterator[Pool]:
    """Processes that take tasks as fast as the pipe to them has room; what they log comes to this one's log."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    # spawn: a forked child would inherit the locks of polars' and Arrow's threads
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    listener = QueueListener(told, *logging.getLogger().handlers)
    listener.start()
    with context.Pool(workers, _log_to, (told,)) as pool:
        yield pool
    listener.stop()


def _log_to(told: Queue) -> None:
    logging.getLogger().addHandler(QueueHandler(told))


def _measure_group(task: Task) -> pa.Table:
    path, group, intervals = task
    with pq.ParquetFile(path) as file:
        records = file.read_row_group(group, columns=_COLUMNS)
    rows = []
    for number in range(len(records)):
        (record,) = records.slice(number, 1).to_pylist()
        rows.append(measurement_row(record, intervals.get(record["record_id"], {})))
    return pa.Table.from_pylist(rows, schema=MEASUREMENTS)


def measurement_row(record: dict, database: dict[str, float | None]) -> dict:
    """Row of the measurements.

    Parameters
    ----------
    record
        Row of a shard.
    database
        The database's own intervals and axes; used if they include at least the QRS duration and the rate, and then all
        of them, also where they say that there is nothing to measure.
    """
    row: dict = dict.fromkeys(MEASUREMENTS.names)
    row |= {"source": record["source"], "record_id": record["record_id"], "intervals_from": "signal"}
    use_database = database.get("qrs_ms") is not None and database.get("heart_rate") is not None
    try:
        measures = measure(_millivolts(record), record["sampling_rate"], database["qrs_ms"] if use_database else None)
    except Exception as error:
        measures = None
        row["problem"] = reason_of(error, f"{record['source']}/{record['record_id']}")
    else:
        row["problem"] = None if measures else "fewer than two heart beats found, not measured"
    if measures is not None:
        row |= {name: _finite(measures.scalars[name]) for name in MEASURES}
        row |= {name: [_finite(value) for value in measures.leads[name].tolist()] for name in LEAD_MEASURES}
    if use_database:
        row |= {**database, "intervals_from": "database"}
    return row


def _millivolts(record: dict) -> np.ndarray:
    try:
        digital = decode_waveform(record["waveform"], record["n_samples"])
    except ValueError as error:
        raise UserError(f"{record['source']}/{record['record_id']}: {error}; delete its shard and run again") from error
    return to_millivolts(digital, np.array(record["gain"]), np.array(record["baseline"]))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


if __name__ == "__main__":
    run_stage(main, arguments())
