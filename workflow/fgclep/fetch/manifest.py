"""The manifest of a database: which of its records can be fetched, and why the others cannot."""

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import polars as pl

from fgclep.errors import UserError
from fgclep.fetch.lists import CHECKSUMS, folder_records, listed_records
from fgclep.fetch.origin import origin
from fgclep.folds import stable_bucket
from fgclep.sources.local import why_not_there
from fgclep.sources.source import Source

LOG = logging.getLogger(__name__)


def first_drawn(rows: pl.DataFrame, limit: int) -> pl.DataFrame:
    """Return the records of patients in an order that is drawn once and for all: the first ``limit``.

    ``rows`` are those of a source's tables; a higher limit has the same records and more.
    """
    drawn = cache(lambda patient: stable_bucket(f"limit/{patient}", 2**32))
    order = pl.Series("order", [drawn(patient) for patient in rows["patient_id"]], dtype=pl.UInt64)
    return rows.with_columns(order).sort("order", "patient_id", "record_id").head(limit).drop("order")


def drawn_paths(source: Source, metadata: Path, limit: int) -> set[str]:
    """Return the paths of the records that a limit leaves, by the lists and tables in ``metadata``."""
    own = source.is_own_folder
    listed = set(folder_records(metadata)[0]) if own else listed_records(metadata, source.folder)[0]
    return set(first_drawn(source.records(metadata, listed), limit)["path"])


def build_manifest(
    source: Source, metadata: Path, chunks: int, limit: int | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compare a database's tables with its list of files.

    Parameters
    ----------
    source
        The database.
    metadata
        Folder with its metadata.
    chunks
        Number of chunks; see ``Source.chunk_of``.
    limit
        At most so many records, see ``first_drawn``: only these are in the manifest or in the quarantine.

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
    table = f"{origin(metadata)}/{source.tables[0]}" if source.is_own_folder else "".join(source.tables[:1])
    records, incomplete, checksums = folder_records(metadata) if source.is_own_folder else ({}, {}, {})
    listed = set(records)
    if not source.is_own_folder:
        listed, incomplete = listed_records(metadata, source.folder)
    rows = source.records(metadata, listed)
    if empty := [name for name in ("record_id", "patient_id", "path") if rows[name].null_count()]:
        raise UserError(f"{metadata / source.tables[0]}: a row has no {empty[0]}; fetch the file again")
    known = set(rows["path"])
    twice = set(rows.filter(pl.col("record_id").is_duplicated())["record_id"])
    reasons: dict[str, str] = {}
    if source.is_own_folder:
        reasons |= _of_own_folder(rows, records, incomplete, table)
        _warn_of_copies(rows, records, checksums)
    else:
        for path, problem in incomplete.items():
            reasons[source.record_id(path)] = problem
        for path in listed - known:
            reasons[source.record_id(path)] = f"{path} is in {CHECKSUMS}, but not in {table}"
        for name, path in rows.select("record_id", "path").iter_rows():
            if path not in listed:
                reasons.setdefault(name, f"{path} is in {table}, but not in {CHECKSUMS}")
    unused = rows.filter(pl.col("split").is_null())["record_id"]
    reasons |= dict.fromkeys(
        unused,
        f"its official fold comes after the test fold and is in no split: data.sources.{source.key}.test_fold is "
        f"{source.test_fold}",
    )
    reasons |= dict.fromkeys(twice, "the record id is given twice")

    if limit is not None:
        rows = first_drawn(rows, limit)
        reasons = {name: reasons[name] for name in rows["record_id"] if name in reasons}
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


def _of_own_folder(
    rows: pl.DataFrame, records: Mapping[str, Sequence[str]], stray: Mapping[str, str], table: str
) -> dict[str, str]:
    """Why records of a folder of the user's own cannot be used, by their ids; files without a row by their paths.

    Raises ``UserError`` if records of two patients have one signal file.
    """
    reasons, known, ids = {}, set(rows["path"]), set(rows["record_id"])
    first: dict[str, tuple[str, str]] = {}
    shared = []
    for name, patient, path in rows.select("record_id", "patient_id", "path").iter_rows():
        if path not in records:
            reasons[name] = stray.get(path) or f"{table}: {why_not_there(path, records)}"
            continue
        for file in records[path][1:] or [path]:
            other, whose = first.setdefault(file, (name, patient))
            if whose != patient:
                shared.append(f"records {other} and {name} of the patients {whose} and {patient} have {file}")
            elif other != name:
                reasons[name] = f"it has the same recording as record {other}: {file}"
    if shared:
        raise UserError(
            f"{table}: two patients have one recording, of whom one may be trained on and the other tested. Whose is "
            "it?\n\n" + "\n".join(f"    {text}" for text in shared[:50])
        )
    for path in records.keys() - known:
        header = records[path][0]
        if Path(header).suffix.lower() in {".csv", ".tsv", ".xml"}:
            continue  # which may be no ECG
        reasons[path if path not in ids else header] = f"{table} has no row for {header}"
    for path, problem in stray.items():
        if path not in known and path not in ids:
            reasons[path] = problem
    return reasons


def _warn_of_copies(rows: pl.DataFrame, records: Mapping[str, Sequence[str]], checksums: Mapping[str, str]) -> None:
    """Name patients whose signal files have the same content."""
    first: dict[str, tuple[str, str]] = {}
    for patient, path in rows.select("patient_id", "path").iter_rows():
        for file in records.get(path, ())[1:] or records.get(path, ()):
            other, whose = first.setdefault(checksums.get(file, file), (file, patient))
            if whose != patient:
                LOG.warning("the patients %s and %s have the same signals, %s and %s", whose, patient, other, file)


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
