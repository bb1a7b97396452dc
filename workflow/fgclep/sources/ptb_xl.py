"""PTB-XL 1.0.3: 21,799 ECGs with SCP-ECG statements. https://physionet.org/content/ptb-xl/1.0.3/.

The database holds each record twice, at 500 Hz and at 100 Hz.
"""

import ast
import re
from functools import partial
from pathlib import Path

import polars as pl

from fgclep.errors import UserError
from fgclep.sources.source import RECORD_COLUMNS, Published, Source, last_part, read_csv

DATABASE = "ptbxl_database.csv"
STATEMENTS = "scp_statements.csv"
_COLUMNS = ("ecg_id", "patient_id", "age", "sex", "report", "scp_codes", "strat_fold")
_FOLDS = range(1, 11)
_SEX = {"0": "M", "1": "F"}
# What follows a report: the recorder's version, often cut off ("4.46 unbestätigter Beri"), and codes of its editors.
_VERSION = re.compile(r"\b4\.46(?:\s+u\w*(?:\s+b\w*)?)?\s*$", re.IGNORECASE)
_EDITORS = re.compile(r"(?:\bedit:|consensus label derived from:).*", re.IGNORECASE | re.DOTALL)
_OLDEST = 90.0  # ages above 89 are published as 300


def read_records(metadata: Path, paths: set[str], *, file_column: str, test_fold: int) -> pl.DataFrame:
    """Records of ``ptbxl_database.csv``, in splits by the official folds.

    Every statement counts, also with likelihood 0, which stands for an unknown one.

    Parameters
    ----------
    metadata
        Folder with the table.
    paths
        All complete records; they are all in the table.
    file_column
        ``filename_hr``, the files at 500 Hz, or ``filename_lr``, at 100 Hz.
    test_fold
        The fold that is the test split, officially 10. The fold before it is val, those before train; a record of a
        later fold has no split.
    """
    file = metadata / DATABASE
    rows = []
    for row in read_csv(file, (*_COLUMNS, file_column)).iter_rows(named=True):
        try:
            rows.append(_row(row, file_column, test_fold))
        # the last three by numbers such as 1e309, and by codes nested without end
        except (
            *(KeyError, ValueError, SyntaxError, TypeError, AttributeError),
            *(OverflowError, RecursionError, MemoryError),
        ) as error:
            raise UserError(
                f"{file}: ecg_id {row['ecg_id']}: {type(error).__name__}: {error}; fetch the file again"
            ) from error
    return pl.DataFrame(rows, schema=dict(RECORD_COLUMNS))


def _row(row: dict[str, str | None], file_column: str, test_fold: int) -> dict:
    codes = ast.literal_eval(row["scp_codes"] or "{}")
    if wrong := [code for code in dict(codes) if not isinstance(code, str)]:
        raise TypeError(f"the code {wrong[0]!r} is no text")
    age = float(row["age"]) if row["age"] else None
    return {
        "record_id": f"{int(row['ecg_id'] or ''):05d}",
        "patient_id": str(int(float(row["patient_id"] or ""))),
        "path": (row[file_column] or "").strip(),
        "split": _split_of(int(float(row["strat_fold"] or "")), test_fold),
        "age": _OLDEST if age is not None and age > 89 else age,
        "sex": _SEX.get(str(row["sex"]).removesuffix(".0")),
        "report": [report] if (report := without_remarks(row["report"] or "")) else [],
        "codes": list(codes.keys()),
    }


def _split_of(fold: int, test_fold: int) -> str | None:
    if fold not in _FOLDS:
        raise ValueError(f"there is no fold {fold}")
    if fold > test_fold:
        return None
    return {test_fold: "test", test_fold - 1: "val"}.get(fold, "train")


def without_remarks(report: str) -> str:
    """Return what a report says of the ECG: without the version of the recorder, and without its editors' codes.

    >>> without_remarks("sinusrhythmus lagetyp normal 4.46    unbestÄtigter bericht Edit: NORM 100")
    'sinusrhythmus lagetyp normal'
    """
    return _VERSION.sub("", _EDITORS.sub("", report)).strip()


def record_id(path: str) -> str:
    """``records500/00000/00022_hr`` and ``records100/00000/00022_lr`` -> ``00022``."""
    return last_part(path).removesuffix("_hr").removesuffix("_lr")


def _source(sampling_rate: int, test_fold: int, others: tuple[Source, ...] = ()) -> Source:
    file_column, record_bytes = {500: ("filename_hr", 120_700), 100: ("filename_lr", 24_600)}[sampling_rate]
    return Source(
        key="ptb-xl",
        slug="ptb-xl",
        version="1.0.3",
        license="https://creativecommons.org/licenses/by/4.0/",
        folder=f"records{sampling_rate}",
        tables=(DATABASE, STATEMENTS),
        records=partial(read_records, file_column=file_column, test_fold=test_fold),
        record_id=record_id,
        published=Published(records=21_799, record_bytes=record_bytes),
        gain=1000,
        sampling_rate=sampling_rate,
        test_fold=test_fold,
        others=others,
    )


SOURCE = _source(500, 10, others=(_source(500, 9), _source(100, 10), _source(100, 9)))
