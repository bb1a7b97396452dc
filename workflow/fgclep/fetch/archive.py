"""One uncompressed tar file per chunk of records: the same bytes for the same files.

Its layout has a number (``fgclep.fetch.formats``).
"""

import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Self

from fgclep.errors import UserError
from fgclep.fetch.lists import safe_path
from fgclep.files import whole_file

_AT_ONCE = 2**24  # bytes that are copied at a time


@contextmanager
def archive_writer(path: Path) -> Iterator[Callable[[str, Path], None]]:
    """Write a tar archive that appears under its name only when complete.

    Yields a function that adds, under a name, the file at a place. Names, order and contents decide the bytes: owners,
    modes and times are fixed.
    """
    with whole_file(path) as partial, tarfile.open(partial, "w:", format=tarfile.PAX_FORMAT) as tar:

        def add(name: str, place: Path) -> None:
            info = tarfile.TarInfo(name)
            with place.open("rb") as content:
                info.size = os.fstat(content.fileno()).st_size
                tar.addfile(info, content)

        yield add


class ArchiveReader:
    """Take single files out of a tar archive, under names of the caller's choice.

    Raises
    ------
    UserError
        If the archive is cut or damaged, or holds anything but plain files below its folder: absolute paths, ``..``,
        links, devices and folders are refused.
    """

    def __init__(self, path: Path):
        self._path = path
        try:
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115 (closed on exit)
        except tarfile.TarError as error:
            raise self._damaged(str(error)) from None
        try:
            self._members = self._checked_members()
        except BaseException:
            self._tar.close()
            raise

    def _checked_members(self) -> dict[str, tarfile.TarInfo]:
        members, end = {}, 0
        try:
            for member in self._tar:
                safe_path(member.name)
                if not member.isreg():
                    raise ValueError(f"{member.name!r} is no plain file")
                members[member.name] = member
                end = member.offset_data + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        except tarfile.TarError as error:
            raise self._damaged(str(error)) from None
        except ValueError as error:
            raise UserError(
                f"{self._path}: {error}; the workflow did not write this archive. Delete it and run snakemake again"
            ) from None
        # tarfile takes whatever it cannot read as the end; the real one is two blocks of zeros or more
        with self._path.open("rb") as file:
            file.seek(end)
            rest = file.read(2 * tarfile.RECORDSIZE)
        if len(rest) < 2 * tarfile.BLOCKSIZE or rest.strip(b"\0"):
            raise self._damaged(f"no end after byte {end}")
        return members

    def _damaged(self, reason: str) -> UserError:
        return UserError(f"{self._path} is cut or damaged ({reason}); delete it and run snakemake again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()

    def __contains__(self, name: str | PurePosixPath) -> bool:
        return str(name) in self._members

    def extract(self, name: str, place: Path) -> Path:
        """Write the file of this name to ``place``, whose folder is made, and return it."""
        member = self._members[name]
        place.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("rb") as file, place.open("wb") as target:  # members are plain: faster than tarfile
            file.seek(member.offset_data)
            for start in range(0, member.size, _AT_ONCE):
                target.write(file.read(min(_AT_ONCE, member.size - start)))
        return place

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self._members[name].size
