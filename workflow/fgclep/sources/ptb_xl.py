"""PTB-XL 1.0.3: 21,799 ECGs with SCP-ECG statements. https://physionet.org/content/ptb-xl/1.0.3/."""

import ast
import re
from pathlib import Path

import polars as pl

from fgclep.errors import UserError
from fgclep.sources.source import RECORD_COLUMNS, Published, Source, last_part, read_csv

DATABASE = "ptbxl_database.csv"
STATEMENTS = "scp_statements.csv"
_COLUMNS = ("ecg_id", "patient_id", "age", "sex", "report", "scp_codes", "strat_fold", "filename_hr")
_SPLIT = {**{str(fold): "train" for fold in range(1, 9)}, "9": "val", "10": "test"}
_SEX = {"0": "M", "1": "F"}
# What follows a report: the recorder's version, often cut off ("4.46 unbestätigter Beri"), and codes of its editors.
_VERSION = re.compile(r"\b4\.46(?:\s+u\w*(?:\s+b\w*)?)?\s*$", re.IGNORECASE)
_EDITORS = re.compile(r"(?:\bedit:|consensus label derived from:).*", re.IGNORECASE | re.DOTALL)
_OLDEST = 90.0  # ages above 89 are published as 300


def read_records(metadata: Path, paths: set[str]) -> pl.DataFrame:
    """Records of ``ptbxl_database.csv`` at 500 Hz, in the official folds: 1 to 8 train, 9 val, 10 test.

    Every statement counts, also with likelihood 0, which stands for an unknown one.
    """
    file = metadata / DATABASE
    rows = []
    for row in read_csv(file, _COLUMNS).iter_rows(named=True):
        try:
            rows.append(_row(row))
        # the last three by numbers such as 1e309, and by codes nested without end
        except (
            *(KeyError, ValueError, SyntaxError, TypeError, AttributeError),
            *(OverflowError, RecursionError, MemoryError),
        ) as error:
            raise UserError(
                f"{file}: ecg_id {row['ecg_id']}: {type(error).__name__}: {error}; fetch the file again"
            ) from error
    return pl.DataFrame(rows, schema=dict(RECORD_COLUMNS))


def _row(row: dict[str, str | None]) -> dict:
    codes = ast.literal_eval(row["scp_codes"] or "{}")
    if wrong := [code for code in dict(codes) if not isinstance(code, str)]:
        raise TypeError(f"the code {wrong[0]!r} is no text")
    age = float(row["age"]) if row["age"] else None
    return {
        "record_id": f"{int(row['ecg_id'] or ''):05d}",
        "patient_id": str(int(float(row["patient_id"] or ""))),
        "path": (row["filename_hr"] or "").strip(),
        "split": _SPLIT[str(int(float(row["strat_fold"] or "")))],
        "age": _OLDEST if age is not None and age > 89 else age,
        "sex": _SEX.get(str(row["sex"]).removesuffix(".0")),
        "report": [report] if (report := without_remarks(row["report"] or "")) else [],
        "codes": list(codes.keys()),
    }


def without_remarks(report: str) -> str:
    """Return what a report says of the ECG: without the version of the recorder, and without its editors' codes.

    >>> without_remarks("sinusrhythmus lagetyp normal 4.46    unbestÄtigter bericht Edit: NORM 100")
    'sinusrhythmus lagetyp normal'
    """
    return _VERSION.sub("", _EDITORS.sub("", report)).strip()


def record_id(path: str) -> str:
    """``records500/00000/00022_hr`` -> ``00022``."""
    return last_part(path).removesuffix("_hr")


SOURCE = Source(
    key="ptb-xl",
    slug="ptb-xl",
    version="1.0.3",
    folder="records500",
    tables=(DATABASE, STATEMENTS),
    records=read_records,
    record_id=record_id,
    published=Published(records=21_799, record_bytes=120_700),
    gain=1000,
    sampling_rate=500,
)
