"""Reading the tables of a run for the report, without those rows and columns that it does not show."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from fgclep.signals.encoding import decode_waveform, to_millivolts
from fgclep.tables import check_table

Key = tuple[str, str]  # source, record_id


def scan(paths: list[Path], schema: pa.Schema) -> pl.LazyFrame:
    """Open tables without reading them, after the check against their schema."""
    for path in paths:
        check_table(path, schema)
    return pl.scan_parquet(paths)


def rows_of(frame: pl.LazyFrame, keys: list[Key]) -> dict[Key, list[dict[str, Any]]]:
    """Return the rows of some records by their key.

    The filter is one that Parquet files are read by, so that the waveforms of other records are not.
    """
    wanted = pl.col("record_id").is_in([record_id for _, record_id in keys])
    rows: dict[Key, list[dict[str, Any]]] = {key: [] for key in keys}
    for row in frame.filter(wanted).collect(engine="streaming").iter_rows(named=True):
        if (key := (row["source"], row["record_id"])) in rows:
            rows[key].append(row)
    return rows


def millivolts(row: dict[str, Any]) -> np.ndarray:
    """Return the signal of a row with the schema ``SHARD`` in mV, shape (12, samples)."""
    digital = decode_waveform(row["waveform"], row["n_samples"])
    return to_millivolts(digital, np.array(row["gain"]), np.array(row["baseline"]))
