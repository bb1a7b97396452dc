"""Describe the shards in Croissant, for programs that read datasets by their metadata."""

import argparse
from pathlib import Path

from fgclep.files import write_text
from fgclep.signals.croissant import croissant
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--shards", type=Path, nargs="+", required=True, help="Parquet files in folders of sources")
    parser.add_argument("--simulated", nargs="*", default=[], help="keys of the sources that are simulated")
    parser.add_argument("--output", type=Path, required=True, help="JSON file above the folders of the shards")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the description."""
    write_text(args.output, croissant(args.output.parent, args.shards, args.simulated))


if __name__ == "__main__":
    run_stage(main, arguments())
