"""Tables of any order, read a part at a time, with the place of each record among the reports."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from fgclep.schemas import read_table

KEY = ["source", "record_id"]
PART = 20_000  # rows read at once


def places_of(reports: pa.Table) -> pl.DataFrame:
    """Return the key of every report with its ``place``, the number of its row."""
    return pl.DataFrame({name: pl.Series(reports[name].to_pylist(), dtype=pl.String) for name in KEY}).with_row_index(
        "place"
    )


def located(
    path: str | Path, schema: pa.Schema, columns: Sequence[str], places: pl.DataFrame
) -> Iterator[tuple[np.ndarray, pa.Table]]:
    """Yield a table in parts: the places of their records, and ``columns`` of the rows whose record has a report."""
    read_table(path, schema, KEY[:1])  # checks the schema
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=PART, columns=[*KEY, *columns]):
            own = pl.DataFrame({name: pl.Series(batch[name].to_pylist(), dtype=pl.String) for name in KEY})
            place = own.join(places, on=KEY, how="left", maintain_order="left")["place"]
            known = place.is_not_null().to_numpy()
            yield place.drop_nulls().to_numpy(), pa.Table.from_batches([batch]).filter(pa.array(known))
