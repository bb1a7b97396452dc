"""What a stage says while it works: progress bars, and the log.

No digest counts this module (``fgclep.digest``): what is written here must change no output.
"""

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], total: int | None = None, description: str = "", unit: str = "it") -> Iterable[T]:
    """Wrap an iterable in a progress bar that is silent when standard error is not a terminal."""
    return tqdm(items, total=total, desc=description, unit=unit, disable=None, mininterval=0.5)


def start_logging(file: Path | None) -> None:
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
