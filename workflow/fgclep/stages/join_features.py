"""A model's features of a source's ECGs beside the measured ones: what a probe reaches by both together."""

import argparse

import numpy as np
import pyarrow as pa

from fgclep.errors import UserError
from fgclep.keys import KEY, places_among, record_names
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import as_lists, read_table, write_table

COLUMNS = [*KEY, "patient_id", "split", "codes", "features"]


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--embeddings", required=True, help="Parquet file of the model")
    parser.add_argument("--measurements", required=True, help="Parquet file that embed_measurements wrote")
    parser.add_argument("--output", required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the features of both, one after the other, for every record (schema ``EMBEDDINGS``, without embeddings).

    A probe standardizes each of them by the records that it is trained on, so that none weighs more by its unit.
    Raises ``UserError`` naming the record if only the model has it.
    """
    table = read_table(args.embeddings, EMBEDDINGS, COLUMNS)
    measured = read_table(args.measurements, EMBEDDINGS, [*KEY, "features"])
    rows = places_among(record_names(table), record_names(measured))
    if rows.null_count:
        missing = record_names(table).filter(rows.is_null())[0]
        raise UserError(
            f"{args.measurements} has no row for {missing}, which is in {args.embeddings}; delete both and run "
            "snakemake"
        )
    parts = [matrix(column) for column in (table["features"], measured["features"].take(rows))]
    none = pa.nulls(len(table))
    columns = {name: table[name] for name in COLUMNS}
    columns |= {"features": as_lists(np.concatenate(parts, axis=1)), "embedding": none, "patches": none}
    write_table(pa.table(columns, schema=EMBEDDINGS), args.output, EMBEDDINGS)


def matrix(lists: pa.ChunkedArray) -> np.ndarray:
    """Rows of equally long lists as an array (rows, values)."""
    values = lists.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values.reshape(len(lists), len(values) // max(1, len(lists))))


if __name__ == "__main__":
    run_stage(main, arguments())
