"""Join the tables of unusable recordings of all stages into one."""

import argparse
import logging
from collections import Counter
from pathlib import Path

import pyarrow as pa

from fgclep.schemas.quarantine import QUARANTINE
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, write_table

LOG = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--inputs", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write one table, in the order of the inputs."""
    table = pa.concat_tables([read_table(path, QUARANTINE) for path in args.inputs])
    write_table(table, args.output, QUARANTINE)
    keys = zip(table["source"].to_pylist(), table["stage"].to_pylist(), strict=True)
    for (source, stage), count in sorted(Counter(keys).items()):
        LOG.info("%s: %d recordings set aside by %s", source, count, stage)


if __name__ == "__main__":
    run_stage(main, arguments())
