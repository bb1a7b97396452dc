"""Join the parts of a table: manifests of a source's chunks, or the truth about simulated databases."""

import argparse
from pathlib import Path

from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.truth import TRUTH
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, table_writer

SCHEMAS = {"manifest": MANIFEST, "truth": TRUTH}


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--schema", required=True, choices=sorted(SCHEMAS), help="what the tables hold")
    parser.add_argument("--inputs", nargs="*", default=[], type=Path, help="tables of this schema")
    parser.add_argument("--output", required=True, type=Path)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write one table with the rows of all inputs, in the order given; one of them is in memory at a time."""
    schema = SCHEMAS[args.schema]
    with table_writer(args.output, schema) as write:
        for path in args.inputs:
            write(read_table(path, schema))


if __name__ == "__main__":
    run_stage(main, arguments())
