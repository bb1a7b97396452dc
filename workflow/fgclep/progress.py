"""What a program says while it works: progress bars, the log, and how words from outside are shown in both.

No digest counts this module (``fgclep.digest``): what is written here must change no output.
"""

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from fgclep.documents import printable
from fgclep.errors import without_credentials

T = TypeVar("T")


def progress(items: Iterable[T], total: int | None = None, description: str = "", unit: str = "it") -> Iterable[T]:
    """Wrap an iterable in a progress bar that is silent when standard error is not a terminal."""
    return tqdm(items, total=total, desc=description, unit=unit, disable=None, mininterval=0.5)


def printable_lines(text: object) -> str:
    """As ``printable``, for messages of several lines: their line ends and tabs stay."""
    return "".join(c if c in "\n\t" else printable(c) for c in str(text))


class PrintableFormatter(logging.Formatter):
    """Log lines, and tracebacks, in which nothing steers a terminal and no address shows a password."""

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        return printable_lines(without_credentials(super().format(record)))


def log_to(file: Path | None, form: str, level: int) -> None:
    """Log to standard error, and to a file if there is one."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(file, mode="w", encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(PrintableFormatter(form))
    logging.basicConfig(level=level, handlers=handlers, force=True)
    for noisy in ("httpx", "httpx2", "matplotlib", "fontTools"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def start_logging(file: Path | None) -> None:
    """Log to standard error, and to a file as far as the disk has room for it."""
    is_first = os.environ.get("RANK", "0") == "0"
    level = logging.INFO if is_first else logging.WARNING
    logging.raiseExceptions = False  # a line that finds the disk full: the stage's own error tells it better
    log_to(file if is_first else None, "%(levelname)s %(name)s: %(message)s", level)
