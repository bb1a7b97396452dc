"""What every stage module shares: its arguments, and how it ends."""

import argparse
import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fgclep.errors import UserError, disk_error, without_credentials
from fgclep.progress import start_logging
from fgclep.tables import leave_out_pandas


def stage_parser(description: str | None, settings: type[BaseModel] | None = None) -> argparse.ArgumentParser:
    """Return a parser with the options that every stage has: ``--log``, and ``--settings`` if it takes any.

    They are given as JSON, and become an instance of the class ``settings``; what does not fit it ends the program.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if settings is not None:
        reader = partial(_read_settings, settings)
        parser.add_argument("--settings", type=reader, required=True, help="what it takes of the config, as JSON")
    parser.add_argument("--log", type=Path, help="file for the log; it goes to the terminal as well")
    return parser


def _read_settings(kind: type[BaseModel], text: str) -> BaseModel:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise argparse.ArgumentTypeError("; ".join(map(_problem, error.errors(include_url=False)))) from None


def _problem(detail: ErrorDetails) -> str:
    name = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        return f"{name} is not a known key"
    if detail["type"] == "missing":
        return f"{name} is missing"
    return f"{name or 'it'} is {without_credentials(repr(detail['input']))}: {detail['msg']}"


def run_stage(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parse the command line and run ``main``; a ``UserError`` ends the program with its message and status 1.

    So does a full or read-only disk, with the file that could not be written and the way out.

    Of several processes that torchrun has started, the first one logs; the others report warnings and errors only.
    """
    args = parser.parse_args()
    leave_out_pandas()
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
