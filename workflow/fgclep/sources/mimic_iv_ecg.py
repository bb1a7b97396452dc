"""MIMIC-IV-ECG 1.0: machine reports and measurements of 800,035 ECGs. https://physionet.org/content/mimic-iv-ecg/1.0/."""

from pathlib import Path

import polars as pl

from fgclep.folds import stable_bucket
from fgclep.sources.source import INTERVAL_COLUMNS, RECORD_COLUMNS, Published, Source, last_part, read_csv

RECORD_LIST = "record_list.csv"
MEASUREMENTS = "machine_measurements.csv"
_REPORT = tuple(f"report_{number}" for number in range(18))
_INTERVALS = ("rr_interval", "p_onset", "p_end", "qrs_onset", "qrs_end", "t_end", "p_axis", "qrs_axis", "t_axis")
_MISSING = 29999


def read_records(metadata: Path, paths: set[str]) -> pl.DataFrame:
    """Records of ``record_list.csv`` with the statements of ``machine_measurements.csv``, joined on the study.

    The two files are in different orders. A twentieth of the patients is for validation, the others for training.
    Age and sex are not part of this database.
    """
    records = read_csv(metadata / RECORD_LIST, ("subject_id", "study_id", "path"))
    statements = read_csv(metadata / MEASUREMENTS, ("study_id", *_REPORT)).select(
        "study_id", report=pl.concat_list(_REPORT).list.eval(pl.element().filter(pl.element().str.strip_chars() != ""))
    )
    empty = pl.lit([], dtype=pl.List(pl.String))
    joined = records.join(statements, on="study_id", how="left", maintain_order="left")
    return joined.select(
        record_id="study_id",
        patient_id="subject_id",
        path="path",
        split=pl.col("subject_id").map_elements(_split_of, return_dtype=pl.String),
        age=pl.lit(None, dtype=pl.Float32),
        sex=pl.lit(None, dtype=pl.String),
        report=pl.coalesce("report", empty),
        codes=empty,
    ).cast(pl.Schema(RECORD_COLUMNS))


def read_intervals(metadata: Path) -> pl.DataFrame:
    """Intervals (ms), rate (bpm) and axes (degrees) of the recording machines; 29999 and the implausible are null.

    Onsets and ends are relative to the machine's median beat, so only differences mean something.
    """
    table = read_csv(metadata / MEASUREMENTS, ("study_id", *_INTERVALS)).unique(
        "study_id", keep="none", maintain_order=True
    )
    values = table.select(
        pl.col("study_id").alias("record_id"), pl.col(_INTERVALS).cast(pl.Float64, strict=False).replace(_MISSING, None)
    )
    rr = _within(pl.col("rr_interval"), 200, 3000)
    qt = _within(pl.col("t_end") - pl.col("qrs_onset"), 150, 800)
    return values.select(
        "record_id",
        heart_rate=60000 / rr,
        pr_ms=_within(pl.col("qrs_onset") - pl.col("p_onset"), 40, 600),
        qrs_ms=_within(pl.col("qrs_end") - pl.col("qrs_onset"), 30, 300),
        qt_ms=qt,
        qtc_ms=qt / (rr / 1000).sqrt(),
        p_ms=_within(pl.col("p_end") - pl.col("p_onset"), 20, 250),
        **{name: _within(pl.col(name), -180, 180) for name in ("p_axis", "qrs_axis", "t_axis")},
    ).select("record_id", *INTERVAL_COLUMNS)


def _within(value: pl.Expr, low: float, high: float) -> pl.Expr:
    return pl.when(value.is_between(low, high)).then(value)


def _split_of(patient_id: str) -> str:
    if stable_bucket(f"split/{patient_id}", 20) == 0:
        return "val"
    return "test" if stable_bucket(f"test/{patient_id}", 38) == 0 else "train"  # 1 of 40 in all


SOURCE = Source(
    key="mimic-iv-ecg",
    slug="mimic-iv-ecg",
    version="1.0",
    license="https://opendatacommons.org/licenses/odbl/1-0/",
    folder="files",
    tables=(RECORD_LIST, MEASUREMENTS),
    records=read_records,
    record_id=last_part,
    intervals=read_intervals,
    published=Published(records=800_035, record_bytes=120_800, statements=2_172),
    gain=200,
    sampling_rate=500,
)
