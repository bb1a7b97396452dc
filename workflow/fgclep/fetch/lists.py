"""PhysioNet's lists of files (``SHA256SUMS.txt``) and of records (``RECORDS``)."""

import hashlib
import os
import re
from collections.abc import Callable, Container, Iterator
from pathlib import Path

from fgclep.errors import UserError

CHECKSUMS = "SHA256SUMS.txt"
RECORDS = "RECORDS"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *]?(.+)")
SIGNAL_SUFFIXES = (".dat", ".mat")
_SUFFIXES = {".hea", *SIGNAL_SUFFIXES}


def safe_path(path: str) -> str:
    """Return ``path`` if it is a plain relative path below the database's folder.

    Raises ``ValueError`` for absolute paths, ``..``, empty parts, backslashes and control characters: lists come from
    elsewhere and must not lead out of the folder.
    """
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or ":" in parts[0] or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"{path!r} is not a plain relative path")
    return path


def iterate_checksums(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (relative path, sha256 in lower case) from a ``SHA256SUMS.txt``.

    Raises ``UserError`` with file and line number for a line that is none, or a path that leads out of the folder.
    """
    # what is no UTF-8 becomes surrogates, which no plain path has
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, start=1):
            text = line.rstrip("\r\n")
            if not text:
                continue
            match = _LINE.fullmatch(text)
            if match is None:
                raise UserError(f"{path}, line {number}: {text[:100]!r} is not '<sha256> <path>'; fetch the file again")
            try:
                yield safe_path(match[2].removeprefix("./")), match[1].lower()
            except ValueError as error:
                raise UserError(f"{path}, line {number}: {error}; do not use this source") from None


def read_checksums(path: Path, wanted: Container[str]) -> dict[str, str]:
    """Return the checksums of the ``wanted`` paths; the list of MIMIC-IV-ECG has 1.6 million lines."""
    return {name: checksum for name, checksum in iterate_checksums(path) if name in wanted}


def listed_records(metadata: Path, folder: str) -> tuple[set[str], dict[str, str]]:
    """Return the records of a database and those that are listed but incomplete.

    A record counts if ``SHA256SUMS.txt`` has its header and a signal file. ``RECORDS`` lists records in some databases
    and folders in others, so it is only consulted for records that the checksums do not know.

    Parameters
    ----------
    metadata
        Folder with ``SHA256SUMS.txt`` and ``RECORDS``.
    folder
        Only records below this folder of the database; empty: all of its records.

    Returns
    -------
    records
        Paths without extension.
    incomplete
        Path without extension -> what is missing.
    """
    above = f"{folder}/" if folder else ""
    headers, signals = set(), set()
    for name, _ in iterate_checksums(metadata / CHECKSUMS):
        if name.startswith(above):
            stem, dot, suffix = name.rpartition(".")
            if dot + suffix == ".hea":
                headers.add(stem)
            elif dot + suffix in SIGNAL_SUFFIXES:
                signals.add(stem)
    incomplete = {
        stem: f"{CHECKSUMS} lists no signal file ({' or '.join(SIGNAL_SUFFIXES)})" for stem in headers - signals
    }
    incomplete |= dict.fromkeys(signals - headers, f"{CHECKSUMS} lists no header (.hea)")
    # by text: parents as PurePosixPath take a minute for MIMIC-IV-ECG
    folders: set[str] = set()
    for stem in headers | signals:
        parent = stem.rpartition("/")[0]
        while parent and parent not in folders:
            folders.add(parent)
            parent = parent.rpartition("/")[0]
    known = headers | folders
    for line in (metadata / RECORDS).read_text(encoding="utf-8", errors="replace").splitlines():
        entry = line.strip().removesuffix(".hea")
        if entry and entry.startswith(above) and not entry.endswith("/") and entry not in known:
            incomplete.setdefault(entry, f"{RECORDS} lists it, {CHECKSUMS} does not")
    return headers & signals, incomplete


def record_checksums(path: Path, folder: str, is_wanted: Callable[[str], bool]) -> dict[str, str]:
    """Return the checksums of the headers and signal files of some records; one pass, little memory.

    Parameters
    ----------
    path
        The list of checksums.
    folder
        Only records below this folder of the database; empty: all of its records.
    is_wanted
        Asked with the path of a record, without extension.
    """
    above = f"{folder}/" if folder else ""
    found = {}
    for name, checksum in iterate_checksums(path):
        stem, dot, suffix = name.rpartition(".")
        if name.startswith(above) and dot + suffix in _SUFFIXES and is_wanted(stem):
            found[name] = checksum
    return found


def complete_records(checksums: dict[str, str]) -> list[str]:
    """Paths, without extension and in order, of the records with a header and a signal file."""
    headers = (name.removesuffix(".hea") for name in checksums if name.endswith(".hea"))
    return sorted(path for path in headers if len(record_files(path, checksums)) > 1)


def record_files(path: str, checksums: dict[str, str]) -> list[str]:
    """Files of the record at ``path`` (without extension): its header, then its signals."""
    return [path + suffix for suffix in (".hea", *SIGNAL_SUFFIXES) if path + suffix in checksums]


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_folder_lists(folder: Path, output: Path) -> int:
    """Write ``RECORDS`` and ``SHA256SUMS.txt`` of the headers and signal files below a folder.

    Parameters
    ----------
    folder
        Is walked to the bottom; hidden files and folders do not count.
    output
        Folder for the two lists.

    Returns
    -------
    int
        Number of records, which are the headers.

    Raises
    ------
    UserError
        For a symbolic link that leads out of the folder, and for a name that no list can hold.
    """
    names = sorted(_record_files(folder))
    checksums = "".join(f"{sha256_of(folder / name)} {name}\n" for name in names)
    records = [name.removesuffix(".hea") for name in names if name.endswith(".hea")]
    (output / CHECKSUMS).write_text(checksums, encoding="utf-8")
    (output / RECORDS).write_text("".join(f"{record}\n" for record in records), encoding="utf-8")
    return len(records)


def _record_files(folder: Path) -> Iterator[str]:
    """Yield the paths, relative to the folder, of headers and signal files; links to folders are not followed."""
    top = folder.resolve()
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in [*folders, *files]:
            place = Path(here) / name
            if name.startswith("."):
                continue
            if place.is_symlink() and not place.resolve().is_relative_to(top):
                raise UserError(
                    f"{place} is a symbolic link that leads out of {folder}; copy the records there, or remove it"
                )
            if name in folders or place.suffix not in _SUFFIXES:
                continue
            try:
                yield safe_path(place.relative_to(folder).as_posix())
            except ValueError as error:
                raise UserError(f"{folder}: {error}; rename the file") from None
