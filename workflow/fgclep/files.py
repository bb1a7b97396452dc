"""Files and folders that are there whole or not at all: every output of the workflow is written through this module.

They are written beside their place as ``.<name>.<process id>.part``, go to the disk, and are then renamed. What a
killed process left there is never read, and the next process that writes the same output deletes it.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fgclep.errors import UserError

_MANY = 1000  # files, which one by one take longer to the disk than all that waits for it
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a place to write to; the file gets its name when the block ends without an error.

    Folders above it are made. An error deletes what was written; an ``OSError`` then names the file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with whole_file(Path(folder) / "a.txt") as partial:
    ...         _ = partial.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    with _partial(path) as partial:
        yield partial
        with _race_explained(path):
            _to_disk(partial)
            os.replace(partial, path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder to write to, which replaces that at ``path`` in the end; see ``whole_file``."""
    with _partial(path) as partial, _partial(path.with_name(f"{path.name}-before")) as before:
        partial.mkdir()
        yield partial
        with _race_explained(path):
            files = [place for place in partial.rglob("*") if place.is_file()]
            if len(files) > _MANY:
                os.sync()
            else:
                for file in files:
                    _to_disk(file)
            if path.exists():
                path.rename(before)
            partial.rename(path)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield a folder beside the output ``path`` for what is needed while that is made; it is deleted in the end."""
    with _partial(path.with_name(f"{path.name}-scratch")) as folder:
        folder.mkdir()
        yield folder


RUN_RECORD = "run.json"  # in the folder of results: what their run uses, as the Snakefile writes when it begins


def write_text(path: Path, text: str) -> None:
    """Write a whole file in UTF-8."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """Yield the place beside ``path`` for this process, where nothing is before and after."""
    path.parent.mkdir(parents=True, exist_ok=True)
    leftover = re.compile(rf"\.{re.escape(path.name)}\.\d+\.part")
    for found in path.parent.iterdir():
        if leftover.fullmatch(found.name):
            _delete(found)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
    except OSError as error:
        if error.filename is None:  # as where a full disk ends a write
            error.filename = str(path)
        raise
    except Exception as error:  # torch, safetensors and tokenizers wrap the system's errors in their own
        number = next((number for number in _DISK_ERRORS if os.strerror(number) in str(error)), None)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error
    finally:
        _delete(partial)


@contextmanager
def _race_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UserError(
            f"{path} is being written by another process, too, which deleted what this one wrote: one that a killed "
            "snakemake left running, perhaps. Wait until it has ended, or end it, and run snakemake again"
        ) from None


def _delete(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _to_disk(file: Path) -> None:
    """Have the system write a file out, which else may come after the new name and be lost with the power."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
