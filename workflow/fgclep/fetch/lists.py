"""PhysioNet's lists of files (``SHA256SUMS.txt``) and of records (``RECORDS``)."""

import hashlib
import logging
import os
import re
from collections.abc import Callable, Container, Iterator
from pathlib import Path

from fgclep.errors import UserError
from fgclep.header import found_file, read_header, signal_path
from fgclep.sources.local import TABLE

LOG = logging.getLogger(__name__)
CHECKSUMS = "SHA256SUMS.txt"
RECORDS = "RECORDS"
FILES = "FILES"  # of a folder of the user's own
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *]?(.+)")
SIGNAL_SUFFIXES = (".dat", ".mat")
_SUFFIXES = {".hea", *SIGNAL_SUFFIXES}
# Of records of one file, as fgclep.recordings.formats has them; but for .npy, which says no sampling rate
FILE_SUFFIXES = {".edf", ".bdf", ".csv", ".tsv", ".xml", ".dcm", ".dicom", ".scp", ".ecg"}


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
    """Write the lists of a folder of the user's own: ``RECORDS``, ``SHA256SUMS.txt`` and ``FILES``.

    The last names the signal files of those records where they are not those beside the header, of its name and with
    the extension ``.dat`` or ``.mat``; without such records it is not there. A file that cannot be read is left out
    with a warning. A record of one file, such as EDF, has the file's name with its extension; ``records.csv`` is none.

    Parameters
    ----------
    folder
        Is walked to the bottom; hidden files and folders do not count.
    output
        Folder for the lists.

    Returns
    -------
    int
        Number of records, which are the headers and the records of one file.

    Raises
    ------
    UserError
        For a symbolic link that leads out of the folder, and for a name that no list can hold.
    """
    top, names = folder.resolve(), set(_record_files(folder))
    others = {}
    for name in sorted(name for name in names if _is_header(name)):
        usual, files = _usual_files(name, names), _named_files(folder, top, name)
        if files is not None and (set(files) != set(usual) or not files):
            others[_stem(name)] = files
    sums = {}
    for name in sorted(names.union(*others.values())):
        try:
            sums[name] = sha256_of(folder / name)
        except OSError as error:
            LOG.warning("%s cannot be read, and is left out: %s", folder / name, error.strerror)
    (output / CHECKSUMS).write_text("".join(f"{sums[name]} {name}\n" for name in sums), encoding="utf-8")
    records = [_stem(name) if _is_header(name) else name for name in sums if _is_header(name) or _is_record(name)]
    (output / RECORDS).write_text("".join(f"{record}\n" for record in records), encoding="utf-8")
    if others:
        rows = "".join(
            "\t".join([record, *(name for name in files if name in sums)]) + "\n" for record, files in others.items()
        )
        (output / FILES).write_text(rows, encoding="utf-8")
    return len(records)


def folder_records(metadata: Path) -> tuple[dict[str, list[str]], dict[str, str], dict[str, str]]:
    """Read the lists that ``write_folder_lists`` wrote.

    Returns
    -------
    records
        Path without extension -> its files, the header first; of a record of one file, its path -> itself.
    stray
        Path without extension of signal files that no header names -> why they are no record.
    checksums
        Of all files.
    """
    checksums = dict(iterate_checksums(metadata / CHECKSUMS))
    names = checksums.keys()
    records = {_stem(name): [name, *_usual_files(name, names)] for name in names if _is_header(name)}
    records |= {name: [name] for name in names if _is_record(name)}
    if (metadata / FILES).exists():
        for line in (metadata / FILES).read_text(encoding="utf-8").splitlines():
            record, *files = line.split("\t")
            if record in records:
                records[record][1:] = files
    used = {name for files in records.values() for name in files}
    stray = {
        _stem(name): f"there is no header {_stem(name)}.hea for the signals in {name}"
        for name in names
        if name not in used and not _is_header(name) and _stem(name) not in records
    }
    return records, stray, checksums


def _is_header(name: str) -> bool:
    return name.lower().endswith(".hea")


def _is_record(name: str) -> bool:
    return name != TABLE and Path(name).suffix.lower() in FILE_SUFFIXES


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _usual_files(header: str, names: Container[str]) -> list[str]:
    return [_stem(header) + suffix for suffix in SIGNAL_SUFFIXES if _stem(header) + suffix in names]


def _named_files(folder: Path, top: Path, name: str) -> list[str] | None:
    """Signal files that a header names and that are in the folder; ``None`` if it cannot be read: told later."""
    found = []
    try:
        header = folder / name
        for file in map(signal_path, read_header(header).files):
            place = found_file(header.parent, file)
            if place is not None and place.resolve().is_relative_to(top):
                found.append(safe_path(place.relative_to(folder).as_posix()))
    except (ValueError, OSError):
        return None
    return found


def _record_files(folder: Path) -> Iterator[str]:
    """Yield the paths, relative to the folder, of a record's files; links to folders are not followed."""
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
            if name in folders or place.suffix.lower() not in _SUFFIXES | FILE_SUFFIXES or place == folder / TABLE:
                continue
            try:
                yield safe_path(place.relative_to(folder).as_posix())
            except ValueError as error:
                raise UserError(f"{folder}: {error}; rename the file") from None
