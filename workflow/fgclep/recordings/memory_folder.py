"""A folder in memory, for programs that read nothing but files."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock


@contextmanager
def memory_folder() -> Iterator[Path]:
    """Yield a folder in memory, or in the system's folder for temporary files where that is none; it is deleted.

    What killed processes left there goes as well: each holds a lock beside its folder, which ends with it.
    """
    memory = Path("/dev/shm")  # nosec B108 # each folder in it has a name that nobody can guess, and its owner alone reads it
    place = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    for left in place.glob("fgclep-*.lock"):
        with suppress(OSError), _lock(left, timeout=0):  # held by a process that lives, or another user's
            shutil.rmtree(left.with_suffix(""))
    folder = place / f"fgclep-{secrets.token_hex(8)}"
    with _lock(folder.with_suffix(".lock")):
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


@contextmanager
def _lock(path: Path, timeout: float = -1) -> Iterator[None]:
    """Hold a lock whose file is deleted; ``TimeoutError`` if another process holds it for ``timeout`` seconds."""
    with FileLock(path, timeout=timeout):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
