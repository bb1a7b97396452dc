"""The lists that PhysioNet publishes with a database, made for a folder of records that has none."""

import os
from collections.abc import Iterator
from pathlib import Path

from fgclep.download import sha256_of
from fgclep.listing import CHECKSUMS, RECORDS, SIGNAL_SUFFIXES, safe_path
from fgclep.stage import UserError

_SUFFIXES = {".hea", *SIGNAL_SUFFIXES}


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
