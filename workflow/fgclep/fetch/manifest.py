"""The manifest of a database: which of its records can be fetched, and why the others cannot."""

from pathlib import Path

import polars as pl

from fgclep.errors import UserError
from fgclep.fetch.lists import CHECKSUMS, listed_records
from fgclep.sources.source import Source


def build_manifest(source: Source, metadata: Path, chunks: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compare a database's tables with its list of files.

    Parameters
    ----------
    source
        The database.
    metadata
        Folder with its metadata.
    chunks
        Number of chunks; see ``Source.chunk_of``.

    Returns
    -------
    manifest
        Columns of ``schemas.manifest.MANIFEST``, by record id.
    quarantine
        Columns ``source``, ``record_id``, ``stage``, ``reason``, by record id: records in the tables without files,
        files that no table knows, records given twice, and those of folds that are in no split.

    Raises
    ------
    UserError
        If a patient stands in two splits: testing on a patient who was trained on would inflate the result.
    """
    listed, incomplete = listed_records(metadata, source.folder)
    rows = source.records(metadata, listed)
    if empty := [name for name in ("record_id", "patient_id", "path") if rows[name].null_count()]:
        raise UserError(f"{metadata / source.tables[0]}: a row has no {empty[0]}; fetch the file again")
    known = set(rows["path"])
    twice = set(rows.filter(pl.col("record_id").is_duplicated())["record_id"])
    reasons: dict[str, str] = {}
    for path, problem in incomplete.items():
        reasons[source.record_id(path)] = problem
    for path in listed - known:
        reasons[source.record_id(path)] = f"{path} is in {CHECKSUMS}, but not in {source.tables[0]}"
    for name, path in rows.select("record_id", "path").iter_rows():
        if path not in listed:
            reasons.setdefault(name, f"{path} is in {source.tables[0]}, but not in {CHECKSUMS}")
    unused = rows.filter(pl.col("split").is_null())["record_id"]
    reasons |= dict.fromkeys(
        unused,
        f"its official fold comes after the test fold and is in no split: data.sources.{source.key}.test_fold is "
        f"{source.test_fold}",
    )
    reasons |= dict.fromkeys(twice, "the record id is given twice")

    usable = rows.filter(~pl.col("record_id").is_in(list(reasons))).sort("record_id")
    _check_splits(usable, source.key)
    manifest = usable.select(
        pl.lit(source.key).alias("source"),
        "record_id",
        "patient_id",
        "path",
        pl.Series("chunk", [source.chunk_of(path, chunks) for path in usable["path"]], dtype=pl.Int32),
        *("split", "age", "sex", "report", "codes"),
    )
    quarantine = pl.DataFrame(
        {
            "source": [source.key] * len(reasons),
            "record_id": sorted(reasons),
            "stage": ["build_manifest"] * len(reasons),
            "reason": [reasons[name] for name in sorted(reasons)],
        },
        schema=dict.fromkeys(("source", "record_id", "stage", "reason"), pl.String),
    )
    return manifest, quarantine


def _check_splits(records: pl.DataFrame, key: str) -> None:
    splits = records.group_by("patient_id").agg(pl.col("split").unique().sort())
    divided = splits.filter(pl.col("split").list.len() > 1).sort("patient_id")
    if divided.is_empty():
        return
    patient, of_patient = divided.row(0)
    ids = records.filter(pl.col("patient_id") == patient)["record_id"].head(5).to_list()
    more = f"; {len(divided) - 1} more patients are in several" if len(divided) > 1 else ""
    raise UserError(
        f"{key}: the patient {patient} is in the splits {', '.join(of_patient)} (records {', '.join(ids)}){more}. Give "
        "all records of a patient the same split"
    )
