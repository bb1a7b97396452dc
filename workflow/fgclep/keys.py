"""The key of a record, by which signals, reports, measurements and scores meet, and the one way to join by it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fgclep.tables import check_table

KEY = ["source", "record_id"]
PART = 25_000  # rows read at once


def record_names(table: pa.Table | pa.RecordBatch) -> pa.Array:
    """Return ``source/record_id`` of every row."""
    names = pc.binary_join_element_wise(table["source"], table["record_id"], "/")
    return names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names


def places_among(names: pa.Array, records: pa.Array) -> pa.Array:
    """Return the row of each name (see ``record_names``) among the names of other records; null if it is not there."""
    return pc.index_in(names, value_set=records)


def located(
    path: str | Path, schema: pa.Schema, columns: Sequence[str], records: pa.Array
) -> Iterator[tuple[np.ndarray, pa.Table]]:
    """Yield a table of any order in parts, with the places of its rows among some records.

    Parameters
    ----------
    path
        Parquet file.
    schema
        What it must have, ``KEY`` included.
    columns
        Those wanted beside the key.
    records
        Names of the records, see ``record_names``; rows of other records are left out.

    Yields
    ------
    places, rows
        int64 of shape (rows,), and the table's rows.
    """
    check_table(path, schema)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=PART, columns=[*KEY, *columns]):
            places = places_among(record_names(batch), records)
            known = pc.is_valid(places)
            rows = pa.Table.from_batches([batch.filter(known)])
            yield places.filter(known).to_numpy(zero_copy_only=False).astype(np.int64), rows
