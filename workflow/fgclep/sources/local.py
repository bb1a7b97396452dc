"""Records of your own: a folder of WFDB records with a ``records.csv``, as docs/own-data.md describes."""

import math
from pathlib import Path

import polars as pl

from fgclep.errors import UserError
from fgclep.sources.source import RECORD_COLUMNS, Source, csv_columns, last_part, read_csv, split_of

TABLE = "records.csv"
REQUIRED = ("id", "patient", "report")
OPTIONAL = ("path", "age", "sex", "split", "codes")
EXAMPLE = (
    "id,patient,report,age,sex\nr1,p1,Sinus rhythm; Left axis deviation,61,F\n"
    "r2,p1,Atrial fibrillation,62,F\nr3,p2,Sinus bradycardia,,M"
)
_ALLOWED = {"sex": ("F", "M"), "split": ("train", "val", "test")}


def read_records(metadata: Path, paths: set[str]) -> pl.DataFrame:
    """Records of ``records.csv``.

    ``report`` and ``codes`` are separated by ``;``. Without a path, a record lies under its id. Without a split, a hash
    of the patient divides into train (7/10), val (1/10) and test (2/10). Without the column ``age``, ``sex`` or
    ``codes``, the records' headers are asked.

    Raises ``UserError`` that names the record and the value that cannot be used.
    """
    file = metadata / TABLE
    given = csv_columns(file)
    if missing := [name for name in REQUIRED if name not in given]:
        raise UserError(f"{file}: column {', '.join(map(repr, missing))} is missing. Write\n\n{_indented(EXAMPLE)}")
    if unknown := [name for name in given if name not in REQUIRED + OPTIONAL]:
        raise UserError(
            f"{file}: unknown column {', '.join(map(repr, unknown))}; known are {', '.join(REQUIRED + OPTIONAL)}. "
            "Rename it or leave it out"
        )
    table = read_csv(file, tuple(given))
    rows = []
    for number, row in enumerate(table.iter_rows(named=True), start=1):
        cells = {name: (cell or "").strip() for name, cell in row.items()}
        if absent := [name for name in ("id", "patient") if not cells[name]]:
            raise UserError(f"{file}: record {number} ({cells['id'] or 'without id'}) has no {absent[0]}")
        rows.append(_row(cells, f"{file}: record {cells['id']}"))
    return pl.DataFrame(rows, schema=dict(RECORD_COLUMNS))


def _row(cells: dict[str, str], where: str) -> dict:
    for name, allowed in _ALLOWED.items():
        if (value := cells.get(name)) and value not in allowed:
            raise UserError(f"{where}: {name} is {value!r}; write {', '.join(allowed)} or nothing")
    return {
        "record_id": cells["id"],
        "patient_id": cells["patient"],
        "path": (cells.get("path") or cells["id"]).removesuffix(".hea"),
        "split": cells.get("split") or split_of(cells["patient"]),
        "age": _age(cells.get("age", ""), where),
        "sex": cells.get("sex") or None,
        "report": _parts(cells["report"]),
        "codes": _parts(cells["codes"]) if "codes" in cells else None,
    }


def _age(text: str, where: str) -> float | None:
    try:
        age = float(text) if text else None
    except ValueError:
        age = math.nan
    if age is not None and not 0 <= age <= 130:
        raise UserError(f"{where}: age is {text!r}; write years or nothing")
    return age


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
