"""The measured intervals, axes and amplitudes of a source's ECGs as features: the baseline without a network."""

import argparse

import pyarrow as pa

from fgclep.errors import UserError
from fgclep.evaluation.measurement_features import measurement_features
from fgclep.keys import KEY, places_among, record_names
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.schemas.measurements import MEASUREMENTS
from fgclep.schemas.shards import SHARD
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import as_lists, read_table, table_writer

KEYS = [*KEY, "patient_id", "split", "codes"]


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--shards", nargs="+", required=True)
    parser.add_argument("--measurements", required=True, help="Parquet file of the same source")
    parser.add_argument("--output", required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the features of every record of the shards (schema ``EMBEDDINGS``, without embeddings).

    Raises ``UserError`` naming the record if it has not been measured.
    """
    measured = read_table(args.measurements, MEASUREMENTS)
    names = record_names(measured)
    features = measurement_features(measured)
    with table_writer(args.output, EMBEDDINGS) as write:
        for path in args.shards:
            table = read_table(path, SHARD, KEYS)
            rows = places_among(record_names(table), names)
            if rows.null_count:
                missing = record_names(table).filter(rows.is_null())[0]
                raise UserError(
                    f"{args.measurements} has no row for {missing}, which is in {path}; delete it and run snakemake"
                )
            none = pa.nulls(len(table))
            columns = {name: table[name] for name in KEYS}
            columns |= {"features": as_lists(features[rows.to_numpy()]), "embedding": none, "patches": none}
            write(pa.table(columns, schema=EMBEDDINGS))


if __name__ == "__main__":
    run_stage(main, arguments())
