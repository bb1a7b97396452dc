"""One uncompressed tar file per chunk of records: the same bytes for the same files.

Of files that are read in place, it has in their stead one that lists them, ``IN_PLACE``.
Its layout has a number (``fgclep.fetch.formats``).
"""

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Self

from fgclep.errors import UserError
from fgclep.fetch.lists import safe_path
from fgclep.files import whole_file

IN_PLACE = "IN_PLACE.txt"  # its first line is the folder, the others are files in it
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


def add_list(add: Callable[[str, Path], None], folder: Path, names: Iterable[str]) -> None:
    """Add to an archive the list of files that stay where they are, in place of these."""
    with tempfile.TemporaryDirectory() as work:
        place = Path(work) / IN_PLACE
        place.write_text("".join(f"{line}\n" for line in (folder, *sorted(names))), encoding="utf-8")
        add(IN_PLACE, place)


class ArchiveReader:
    """Take single files out of a tar archive, or of the folder that it lists, under names of the caller's choice.

    Raises
    ------
    UserError
        If the archive is cut or damaged, or holds anything but plain files below its folder: absolute paths, ``..``,
        links, devices and folders are refused.
    """

    def __init__(self, path: Path):
        self._path = path
        self._folder: Path | None = None
        self._listed: set[str] = set()
        try:
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115 (closed on exit)
        except tarfile.TarError as error:
            raise self._damaged(str(error)) from None
        try:
            self._members = self._checked_members()
            if list(self._members) == [IN_PLACE]:
                self._read_list()
        except BaseException:
            self._tar.close()
            raise

    def _read_list(self) -> None:
        member = self._members[IN_PLACE]
        with self._path.open("rb") as file:
            file.seek(member.offset_data)
            folder, *names = file.read(member.size).decode().splitlines()
        self._folder, self._listed = Path(folder), set(map(safe_path, names))

    def _in_place(self, name: str) -> Path:
        place = self._folder / name if self._folder else Path()
        if not place.is_file():
            raise UserError(
                f"{self._path} lists {place}, which is not there any more. Put it back, or delete {self._path} and run "
                "snakemake again: the record is then left out"
            )
        return place

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
        return str(name) in (self._members if self._folder is None else self._listed)

    def extract(self, name: str, place: Path) -> Path:
        """Write the file of this name to ``place``, whose folder is made, and return it."""
        place.parent.mkdir(parents=True, exist_ok=True)
        if self._folder is not None:
            shutil.copyfile(self._in_place(str(name)), place)
            return place
        member = self._members[str(name)]
        with self._path.open("rb") as file, place.open("wb") as target:  # members are plain: faster than tarfile
            file.seek(member.offset_data)
            for start in range(0, member.size, _AT_ONCE):
                target.write(file.read(min(_AT_ONCE, member.size - start)))
        return place

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self._members[name].size if self._folder is None else self._in_place(name).stat().st_size
