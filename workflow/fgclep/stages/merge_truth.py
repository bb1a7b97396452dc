"""Join the truth about all simulated databases in one table."""

import argparse
from pathlib import Path

import pyarrow as pa

from fgclep.schemas import TRUTH, read_table, write_table
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--inputs", nargs="*", default=[], type=Path, help="truth tables of the databases")
    parser.add_argument("--output", required=True, type=Path)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write one table with the rows of all inputs, in the order given."""
    tables = [read_table(path, TRUTH) for path in args.inputs]
    write_table(pa.concat_tables(tables) if tables else TRUTH.empty_table(), args.output, TRUTH)


if __name__ == "__main__":
    run_stage(main, arguments())
