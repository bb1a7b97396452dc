"""Join the truth about all simulated databases in one table."""

import argparse
from pathlib import Path

from fgclep.schemas import TRUTH, read_table, table_writer
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--inputs", nargs="*", default=[], type=Path, help="truth tables of the databases")
    parser.add_argument("--output", required=True, type=Path)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write one table with the rows of all inputs, in the order given; one of them is in memory at a time."""
    with table_writer(args.output, TRUTH) as write:
        for path in args.inputs:
            write(read_table(path, TRUTH))


if __name__ == "__main__":
    run_stage(main, arguments())
