"""What every stage module shares: its arguments, and how it ends."""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from fgclep.errors import UserError, disk_error
from fgclep.progress import start_logging


def stage_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every stage has: ``--settings`` (JSON) and ``--log``."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=json.loads, default={}, help="the stage's section of the config, as JSON")
    parser.add_argument("--log", type=Path, help="file for the log; it goes to the terminal as well")
    return parser


def run_stage(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parse the command line and run ``main``; a ``UserError`` ends the program with its message and status 1.

    So does a full or read-only disk, with the file that could not be written and the way out.

    Of several processes that torchrun has started, the first one logs; the others report warnings and errors only.
    """
    args = parser.parse_args()
    try:
        start_logging(args.log)
        main(args)
    except Exception as error:
        explained = str(error) if isinstance(error, UserError) else disk_error(error)
        if explained is None:
            logging.getLogger(parser.prog).exception("the stage failed")
        else:
            logging.getLogger(parser.prog).error("%s", explained)
        sys.exit(1)
