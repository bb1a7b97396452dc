"""One uncompressed tar file per chunk of records: the same bytes for the same files."""

import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from fgclep.listing import safe_path
from fgclep.stage import UserError


class ArchiveWriter:
    """Write files to a tar archive that appears under its name only when complete.

    Names, order and contents decide the bytes: owners, modes and times are fixed. What an interrupted writer left is
    written over by the next.
    """

    def __init__(self, path: Path):
        self.path = path
        self._partial = path.with_name(f".{path.name}.part")

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)
        return self

    def add(self, name: str, place: Path) -> None:
        """Add the file at ``place`` under ``name``."""
        info = tarfile.TarInfo(name)
        with place.open("rb") as content:
            info.size = os.fstat(content.fileno()).st_size
            self._tar.addfile(info, content)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._tar.close()
                self._file.flush()
                os.replace(self._partial, self.path)
        finally:
            self._partial.unlink(missing_ok=True)
            self._file.close()


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

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def extract(self, names: Iterable[str], folder: Path) -> list[Path]:
        """Write files into ``folder`` by the last part of their names, and return their places."""
        places = []
        with self._path.open("rb") as file:  # the members are plain, and this is faster than tarfile
            for name in names:
                member = self._members[name]
                file.seek(member.offset_data)
                places.append(folder / Path(name).name)
                places[-1].write_bytes(file.read(member.size))
        return places
