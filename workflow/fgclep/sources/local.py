"""Records of your own: a folder of ECGs with a ``records.csv``, as docs/own-data.md describes."""

import csv
import io
import posixpath
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path

import polars as pl

from fgclep.errors import UserError
from fgclep.sources.source import RECORD_COLUMNS, Source, last_part, split_of

TABLE = "records.csv"
REQUIRED = ("id", "patient", "report")
OPTIONAL = ("path", "age", "sex", "split", "codes")
EXAMPLE = (
    "id,patient,report,age,sex\nr1,p1,Sinus rhythm; Left axis deviation,61,F\n"
    "r2,p1,Atrial fibrillation,62,F\nr3,p2,Sinus bradycardia,,M"
)
_SUFFIXES = {"hea", "dat", "mat", "xyz", "edf", "bdf", "csv", "tsv", "xml", "dcm", "dicom", "scp", "ecg", "npy"}
_SHOWN = 50  # mistakes
_ALLOWED = {"sex": ("F", "M"), "split": ("train", "val", "test")}


def read_records(metadata: Path, paths: set[str]) -> pl.DataFrame:
    """Records of ``records.csv``.

    Cells are separated by commas, semicolons, tabs or bars; ``report`` and ``codes`` by ``;`` within. Without a path, a
    record lies under its id. Without a split, a hash of the patient divides into train (7/10), val (1/10) and test
    (2/10). Without the column ``age``, ``sex`` or ``codes``, the records' headers are asked.

    Raises
    ------
    UserError
        With all mistakes at once, each with its row and record; also the records that are not among ``paths``, if there
        are other mistakes.
    """
    file = metadata / TABLE
    header, rows = _cells(file)
    if missing := [name for name in REQUIRED if name not in header]:
        raise UserError(f"{file}: column {', '.join(map(repr, missing))} is missing. Write\n\n{_indented(EXAMPLE)}")
    if unknown := [name for name in header if name not in REQUIRED + OPTIONAL]:
        raise UserError(
            f"{file}: unknown column {', '.join(map(repr, unknown))}; known are {', '.join(REQUIRED + OPTIONAL)}. "
            "Rename it or leave it out"
        )
    if twice := {name for name in header if header.count(name) > 1}:
        raise UserError(f"{file}: column {', '.join(map(repr, sorted(twice)))} is given twice; leave one out")
    found, mistakes, absent = [], [], []
    rows_of: dict[str, int] = {}
    for number, row in rows:
        where = f"row {number}"
        if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
            told = "a text that holds the separator needs quotes"
            mistakes.append(f"{where}: it has {len(row)} cells, and there are {len(header)} columns; {told}")
            continue
        cells = {name: cell.strip() for name, cell in zip_longest(header, row[: len(header)], fillvalue="")}
        where += f", record {cells['id'] or 'without id'}"
        wrong = [f"{where}: it has no {name}" for name in ("id", "patient") if not cells[name]]
        wrong += [f"{where}: {problem}" for problem in _problems(cells)]
        if (before := rows_of.setdefault(cells["id"], number)) != number and cells["id"]:
            wrong.append(f"{where}: row {before} has this id, too")
        mistakes += wrong
        if not wrong:
            found.append((number, _row(cells)))
            if (path := found[-1][1]["path"]) not in paths:
                absent.append(f"{where}: {why_not_there(path, paths)}")
    mistakes += _between(found)
    if mistakes:
        raise UserError(_told(file, [*mistakes, *absent]))
    return pl.DataFrame([row for _, row in found], schema=dict(RECORD_COLUMNS))


def why_not_there(path: str, paths: Collection[str]) -> str:
    """Say why a path of the table is not the path of a record in the folder, and what to write if that is clear."""
    plain = posixpath.normpath(path.replace("\\", "/"))
    if plain.startswith(".."):
        return f"{path} leads out of the folder; copy the record into it"
    stem = plain.rpartition(".")[0] if plain.rpartition(".")[2].lower() in _SUFFIXES else plain

    def folded(text: str) -> str:
        return unicodedata.normalize("NFC", text).casefold()

    alike = [other for other in paths if folded(other) in {folded(plain), folded(stem)}]
    alike = alike or [other for other in paths if folded(other.rpartition(".")[0]) == folded(plain)]  # of one file
    alike = alike or [other for other in paths if plain.startswith("/") and folded(stem).endswith(f"/{folded(other)}")]
    if alike:
        what = "with" if min(alike).rpartition(".")[2].lower() in _SUFFIXES else "without"
        return f"there is no record {path}; write {min(alike)}, its path below the folder, {what} extension"
    if plain.lower().endswith(".npy"):
        return f"{path} does not say its sampling rate; write it as another format, such as WFDB"
    if plain != stem and plain.rpartition(".")[2].lower() not in {"hea", "dat", "mat", "xyz"}:
        return f"there is no file {path} in the folder"
    return f"there is no record {path}: its header {path}.hea is not in the folder"


def _cells(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header's cells, and number (the header's is 1) and cells of the rows that are not empty."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    text, above = _decoded(content), 0
    if text.lower().startswith("sep="):  # tells Excel the separator
        text, above = text.partition("\n")[2], 1
    first = text.partition("\n")[0]
    separator = max(",;\t|", key=lambda mark: len({c.strip(' "\r').lower() for c in first.split(mark)} & set(REQUIRED)))
    try:
        rows = list(enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator), start=1 + above))
    except csv.Error as error:
        raise UserError(f"{file} cannot be read as CSV: {error}") from error
    rows = [(number, row) for number, row in rows if any(cell.strip() for cell in row)]
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    while header and not header[-1]:  # a separator at the end of each line
        header.pop()
    return header, rows[1:]


def _decoded(content: bytes) -> str:
    for encoding in ("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "cp1252"):
        with suppress(UnicodeDecodeError):
            return content.decode(encoding)
    return content.decode("latin-1")


def _problems(cells: dict[str, str]) -> Iterator[str]:
    for name, allowed in _ALLOWED.items():
        if (value := cells.get(name)) and value not in allowed:
            yield f"{name} is {value!r}; write {', '.join(allowed)} or nothing"
    if (text := cells.get("age", "")) and _age(text) is None:
        yield f"age is {text!r}; write years or nothing"


def _between(rows: Sequence[tuple[int, dict]]) -> Iterator[str]:
    """Say which patients share a recording or stand in two splits: one may be trained on, and then tested."""
    of_path: dict[str, tuple[int, dict]] = {}
    of_patient: dict[str, tuple[int, dict]] = {}
    for number, row in rows:
        before, other = of_path.setdefault(row["path"], (number, row))
        if other["patient_id"] != row["patient_id"]:
            yield (
                f"rows {before} and {number}, records {other['record_id']} and {row['record_id']}: the patients "
                f"{other['patient_id']} and {row['patient_id']} have the same recording, {row['path']}; whose is it?"
            )
        before, other = of_patient.setdefault(row["patient_id"], (number, row))
        if other["split"] != row["split"]:
            yield (
                f"rows {before} and {number}, records {other['record_id']} and {row['record_id']}: the patient "
                f"{row['patient_id']} is in the splits {other['split']} and {row['split']}"
            )


def _told(file: Path, mistakes: Sequence[str]) -> str:
    if len(mistakes) == 1:
        return f"{file}: {mistakes[0]}"
    shown = [*mistakes[:_SHOWN], *([f"and {len(mistakes) - _SHOWN:,} more"] if len(mistakes) > _SHOWN else [])]
    return f"{file} has {len(mistakes):,} mistakes:\n\n" + _indented("\n".join(shown))


def _row(cells: dict[str, str]) -> dict:
    return {
        "record_id": cells["id"],
        "patient_id": cells["patient"],
        "path": (cells.get("path") or cells["id"]).removesuffix(".hea"),
        "split": cells.get("split") or split_of(cells["patient"]),
        "age": _age(cells.get("age", "")),
        "sex": cells.get("sex") or None,
        "report": _parts(cells["report"]),
        "codes": _parts(cells["codes"]) if "codes" in cells else None,
    }


def _age(text: str) -> float | None:
    """Years, also with a decimal comma; ``None`` if they are not given, or none."""
    try:
        age = float(text.replace(",", ".") or "nan")
    except ValueError:
        return None
    return age if 0 <= age <= 130 else None


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


SOURCE = Source(
    key="local",
    slug="",
    version=None,
    folder="",
    tables=(TABLE,),
    records=read_records,
    record_id=last_part,
)
