"""LUDB 1.0.1: 200 ECGs of 200 subjects with diagnoses by cardiologists. https://physionet.org/content/ludb/1.0.1/."""

from pathlib import Path

import polars as pl

from fgclep.errors import UserError
from fgclep.sources.source import RECORD_COLUMNS, Published, Source, last_part, read_csv, split_of

TABLE = "ludb.csv"
_FINDINGS = (
    "Rhythms",
    "Electric axis of the heart",
    "Conduction abnormalities",
    "Extrasystolies",
    "Hypertrophies",
    "Cardiac pacing",
    "Ischemia",
    "Non-specific repolarization abnormalities",
    "Other states",
)
_OLDEST = 90.0  # ages above 89 are published as >89


def read_records(metadata: Path, paths: set[str]) -> pl.DataFrame:
    """Records of ``ludb.csv``; each finding, in the cardiologists' words, is a statement of the report and a code.

    Cells hold one finding per line, and age and sex end in a line break. Every record is of another subject; a hash of
    its id divides them into train (7/10), val (1/10) and test (2/10).
    """
    file = metadata / TABLE
    rows = []
    for row in read_csv(file, ("ID", "Sex", "Age", *_FINDINGS)).iter_rows(named=True):
        cells = {name: (cell or "").strip() for name, cell in row.items()}
        findings = [line.strip() for name in _FINDINGS for line in cells[name].splitlines() if line.strip()]
        rows.append(
            {
                "record_id": cells["ID"],
                "patient_id": cells["ID"],
                "path": f"data/{cells['ID']}",
                "split": split_of(cells["ID"]),
                "age": _age(cells["Age"], f"{file}: ID {cells['ID']}"),
                "sex": cells["Sex"] if cells["Sex"] in {"F", "M"} else None,
                "report": findings,
                "codes": findings,
            }
        )
    return pl.DataFrame(rows, schema=dict(RECORD_COLUMNS))


def _age(text: str, where: str) -> float | None:
    if text.startswith(">"):
        return _OLDEST
    try:
        return float(text) if text else None
    except ValueError:
        raise UserError(f"{where}: the age {text!r} is no number; fetch the file again") from None


SOURCE = Source(
    key="ludb",
    slug="ludb",
    version="1.0.1",
    license="https://opendatacommons.org/licenses/by/1-0/",
    folder="data",
    tables=(TABLE,),
    records=read_records,
    record_id=last_part,
    published=Published(records=200, record_bytes=120_700),
    gain=1000,  # a header gives the lead's own peak-to-peak instead
    sampling_rate=500,
)
