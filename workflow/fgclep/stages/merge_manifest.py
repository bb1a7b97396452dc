"""Join the manifests of the chunks of a source that was simulated straight into its shards."""

import argparse
from pathlib import Path

from fgclep.schemas import MANIFEST, read_table, table_writer
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--inputs", required=True, nargs="+", type=Path, help="one manifest per chunk")
    parser.add_argument("--output", required=True, type=Path)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write one manifest with the rows of all inputs, in the order given; one of them is in memory at a time."""
    with table_writer(args.output, MANIFEST) as write:
        for path in args.inputs:
            write(read_table(path, MANIFEST))


if __name__ == "__main__":
    run_stage(main, arguments())
