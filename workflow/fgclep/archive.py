"""One uncompressed tar file per chunk of records: the same bytes for the same files."""

import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self


class ArchiveWriter:
    """Write files to a tar archive that appears under its name only when complete.

    Names, order and contents decide the bytes: owners, modes and times are fixed.
    """

    def __init__(self, path: Path):
        self.path = path
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.part")

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._tar = tarfile.open(self._partial, "w", format=tarfile.PAX_FORMAT)
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
        self._tar.close()
        if kind is None:
            os.replace(self._partial, self.path)
        else:
            self._partial.unlink()


class ArchiveReader:
    """Take single files out of a tar archive, under names of the caller's choice."""

    def __init__(self, path: Path):
        self._tar = tarfile.open(path, "r:")  # noqa: SIM115 (closed on exit)
        self._members = {member.name: member for member in self._tar if member.isfile()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def extract(self, names: Iterable[str], folder: Path) -> list[Path]:
        """Write files into ``folder`` by the last part of their names, and return their places."""
        places = []
        for name in names:
            content = self._tar.extractfile(self._members[name])
            assert content is not None  # only plain files are in _members
            places.append(folder / Path(name).name)
            places[-1].write_bytes(content.read())
        return places
