"""What every stage module shares: arguments, log file, progress bars, and errors meant for the user."""

import argparse
import errno
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fgclep.errors import UserError

T = TypeVar("T")
_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def full_disk_explained(folder: Path, what: str, needed: Callable[[], int | None]) -> Iterator[None]:
    """Turn a full disk into a ``UserError`` that says how much is needed, how much is free, and where.

    Parameters
    ----------
    folder
        Where the files are written.
    what
        What is written, for the message.
    needed
        Asked when the disk is full: bytes still needed; ``None`` if unknown.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        bytes_needed = needed()
        more = "more than that" if bytes_needed is None else f"about {bytes_needed / 1e6:,.1f} MB more"
        raise UserError(_full_disk(folder, error, f", and {what} needs {more}")) from error


def _full_disk(folder: Path, error: OSError, needs: str = "") -> str:
    free, reason = shutil.disk_usage(folder).free / 1e6, os.strerror(error.errno or 0)
    return (
        f"the disk of {folder.resolve()} is full ({reason}): {free:,.1f} MB are free{needs}. Make room there and run "
        "snakemake again: it continues where it stopped"
    )


def _disk_error(error: Exception) -> str | None:
    """What to do about a disk that is full or may not be written; ``None`` for other errors."""
    if not isinstance(error, OSError) or error.errno not in {*_FULL, errno.EROFS, errno.EACCES} or not error.filename:
        return None
    path = Path(error.filename)
    if error.errno in _FULL:
        folder = next(place for place in path.absolute().parents if place.exists())
        return f"{path} cannot be written: {_full_disk(folder, error)}"
    way_out = (
        "Its file system is mounted read-only: mount it for writing"
        if error.errno == errno.EROFS
        else "Give yourself the right to it"
    )
    return (
        f"{path}: {os.strerror(error.errno)}. {way_out}, or put the folder where you may write, and run snakemake again"
    )


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
    return f"{name or 'it'} is {detail['input']!r}: {detail['msg']}"


def run_stage(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parse the command line and run ``main``; a ``UserError`` ends the program with its message and status 1.

    So does a full or read-only disk, with the file that could not be written and the way out.

    Of several processes that torchrun has started, the first one logs; the others report warnings and errors only.
    """
    args = parser.parse_args()
    try:
        _start_logging(args.log)
        main(args)
    except Exception as error:
        explained = str(error) if isinstance(error, UserError) else _disk_error(error)
        if explained is None:
            logging.getLogger(parser.prog).exception("the stage failed")
        else:
            logging.getLogger(parser.prog).error("%s", explained)
        sys.exit(1)


def _start_logging(file: Path | None) -> None:
    """Log to standard error, and to a file as far as the disk has room for it."""
    is_first = os.environ.get("RANK", "0") == "0"
    level = logging.INFO if is_first else logging.WARNING
    form = "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=level, format=form, stream=sys.stderr, force=True)
    logging.raiseExceptions = False  # a line that finds the disk full: the stage's own error tells it better
    for noisy in ("httpx", "httpx2", "matplotlib", "fontTools"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if file and is_first:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(file, mode="w", encoding="utf-8")
        handler.setFormatter(logging.Formatter(form))
        logging.getLogger().addHandler(handler)
