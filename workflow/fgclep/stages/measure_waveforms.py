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
    """Rows of the measurements of a row group.

    A database's own intervals and axes are used if they include at least the QRS duration and the rate, and then all of
    them, also where they say that there is nothing to measure.
    """
    path, group, intervals = task
    with pq.ParquetFile(path) as file:
        records = file.read_row_group(group, columns=_COLUMNS)
    scalars = np.full((len(records), len(MEASURES)), np.nan)
    leads = np.full((len(records), len(LEAD_MEASURES), 12), np.nan)
    problems: list[str | None] = []
    origins: list[str] = []
    rows = records.drop_columns("waveform").to_pylist()
    for row, waveform, values, of_leads in zip(rows, records["waveform"], scalars, leads, strict=True):
        database = intervals.get(row["record_id"], {})
        use_database = database.get("qrs_ms") is not None and database.get("heart_rate") is not None
        origins.append("database" if use_database else "signal")
        name, measures = f"{row['source']}/{row['record_id']}", None
        try:
            mv = _millivolts(name, waveform.as_buffer(), row)
            measures = measure(mv, row["sampling_rate"], database["qrs_ms"] if use_database else None)
        except Exception as error:
            problems.append(reason_of(error, name))
        else:
            problems.append(None if measures else "fewer than two heart beats found, not measured")
        if measures is not None:
            values[:] = [measures.scalars[measure] for measure in MEASURES]
            of_leads[:] = [measures.leads[measure] for measure in LEAD_MEASURES]
        if use_database:
            for measure_name, value in database.items():
                values[MEASURES.index(measure_name)] = np.nan if value is None else value
    return _table(records.select(KEY), scalars, leads, origins, problems)


def _table(
    keys: pa.Table, scalars: np.ndarray, leads: np.ndarray, origins: list[str], problems: list[str | None]
) -> pa.Table:
    """Table of what was measured: scalars (records, measures) and leads (records, measures, 12); null if not finite."""
    unmeasured = np.array([problem is not None for problem in problems], dtype=bool)
    columns = [keys[name].combine_chunks() for name in KEY]
    columns += [pa.array(column, pa.float32(), mask=~np.isfinite(column)) for column in scalars.T]
    for values in leads.transpose(1, 0, 2).reshape(len(LEAD_MEASURES), -1):
        flat = pa.array(values, pa.float32(), mask=~np.isfinite(values))
        columns.append(pa.FixedSizeListArray.from_arrays(flat, 12, mask=pa.array(unmeasured)))
    columns += [pa.array(origins, pa.string()), pa.array(problems, pa.string())]
    return pa.Table.from_arrays(columns, schema=MEASUREMENTS)


def _millivolts(name: str, waveform: pa.Buffer, row: dict) -> np.ndarray:
    try:
        digital = decode_waveform(waveform, row["n_samples"])
    except ValueError as error:
        raise UserError(f"{name}: {error}; delete its shard and run again") from error
    return to_millivolts(digital, np.array(row["gain"]), np.array(row["baseline"]))


if __name__ == "__main__":
    run_stage(main, arguments())
