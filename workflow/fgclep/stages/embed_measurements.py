"""The measured intervals, axes and amplitudes of a source's ECGs as features: the baseline without a network."""

import argparse

import numpy as np
import pyarrow as pa

from fgclep.evaluation.embedding import as_lists
from fgclep.evaluation.measurements import measurement_features
from fgclep.loader import record_names
from fgclep.schemas import EMBEDDINGS, MEASUREMENTS, SHARD, read_table, table_writer
from fgclep.stage import UserError, run_stage, stage_parser

KEYS = ["source", "record_id", "patient_id", "split", "codes"]


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
    place = {name: number for number, name in enumerate(record_names(measured).to_pylist())}
    features = measurement_features(measured)
    with table_writer(args.output, EMBEDDINGS) as write:
        for path in args.shards:
            table = read_table(path, SHARD, KEYS)
            names = record_names(table).to_pylist()
            if missing := [name for name in names if name not in place]:
                raise UserError(
                    f"{args.measurements} has no row for {missing[0]}, which is in {path}; delete it and run snakemake"
                )
            rows = np.array([place[name] for name in names], dtype=int)
            none = pa.nulls(len(table))
            columns = {name: table[name] for name in KEYS}
            columns |= {"features": as_lists(features[rows]), "embedding": none, "patches": none}
            write(pa.table(columns, schema=EMBEDDINGS))


if __name__ == "__main__":
    run_stage(main, arguments())
