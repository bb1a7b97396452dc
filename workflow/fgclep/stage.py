"""What every stage module shares: arguments, log file, progress bars, and errors meant for the user."""

import argparse
import errno
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


class UserError(Exception):
    """Something the user can mend: the message names the place and the way out, and is shown without a traceback."""


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
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        bytes_needed = needed()
        more = "more than that" if bytes_needed is None else f"about {bytes_needed / 1e6:,.1f} MB more"
        free = shutil.disk_usage(folder).free / 1e6
        raise UserError(
            f"the disk of {folder.resolve()} is full ({error.strerror}): {free:,.1f} MB are free, and {what} needs "
            f"{more}. Make room there and run snakemake again: it continues where it stopped"
        ) from error


def stage_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every stage has: ``--settings`` (JSON) and ``--log``."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=json.loads, default={}, help="the stage's section of the config, as JSON")
    parser.add_argument("--log", type=Path, help="file for the log; it goes to the terminal as well")
    return parser


def run_stage(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parse the command line and run ``main``; a ``UserError`` ends the program with its message and status 1.

    Of several processes that torchrun has started, the first one logs; the others report warnings and errors only.
    """
    args = parser.parse_args()
    is_first = os.environ.get("RANK", "0") == "0"
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if args.log and is_first:
        args.log.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(args.log, mode="w", encoding="utf-8"))
    level = logging.INFO if is_first else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", handlers=handlers, force=True)
    for noisy in ("httpx", "httpx2", "matplotlib", "fontTools"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        main(args)
    except UserError as error:
        logging.getLogger(parser.prog).error("%s", error)
        sys.exit(1)
    except Exception:
        logging.getLogger(parser.prog).exception("the stage failed")
        sys.exit(1)


def progress(items: Iterable[T], total: int | None = None, description: str = "", unit: str = "it") -> Iterable[T]:
    """Wrap an iterable in a progress bar that is silent when standard error is not a terminal."""
    return tqdm(items, total=total, desc=description, unit=unit, disable=None, mininterval=0.5)
