"""Join the tables of a simulated source's chunks: its manifest, or the truth about it."""

import argparse
from pathlib import Path

from fgclep.schemas import MANIFEST, TRUTH, read_table, table_writer
from fgclep.stage import run_stage, stage_parser

SCHEMAS = {"manifest": MANIFEST, "truth": TRUTH}


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--table", required=True, choices=sorted(SCHEMAS))
    parser.add_argument("--inputs", required=True, nargs="+", type=Path, help="one table per chunk")
    parser.add_argument("--output", required=True, type=Path)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write one table with the rows of all inputs, in the order given; one input is in memory at a time."""
    schema = SCHEMAS[args.table]
    with table_writer(args.output, schema) as write:
        for path in args.inputs:
            write(read_table(path, schema))


if __name__ == "__main__":
    run_stage(main, arguments())
