"""What became of every record: counts per source, and the reasons for those left out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from fgclep.keys import KEY

SPLITS = ("train", "val", "test")
# Words with two digits or more are names of records and files, or checksums; V1 and the like are kept.
_NAME = re.compile(r"\b\w*\d{2}\w*")
_NUMBER = re.compile(r"(?<![\w.-])[-+]?\d+(?:[.,]\d+)*(?!\w)")


@dataclass(frozen=True)
class SourceFlow:
    """Records of one source on their way."""

    source: str
    listed: int
    unusable_entries: int  # quarantined before they came into the manifest
    in_manifest: int
    quarantined: int  # in the manifest and not in the shards, with a reason
    unexplained: int  # in the manifest, and neither in the shards nor in the quarantine
    in_shards: int
    patients: int
    splits: dict[str, int]
    without_report: int  # in the shards, and quarantined for their report


def flows(manifest: pl.LazyFrame, shards: pl.LazyFrame, quarantine: pl.DataFrame) -> list[SourceFlow]:
    """Count the records of every source, in the order of the manifests; of all records, only keys are held."""
    dropped = quarantine.select(*KEY).unique()
    sources = manifest.select("source").unique(maintain_order=True).collect()["source"].to_list()
    listed = _per_source(manifest.select(*KEY))
    missing = manifest.select(*KEY).join(shards.select(*KEY), on=KEY, how="anti").collect(engine="streaming")
    unlisted = dropped.lazy().join(manifest.select(*KEY), on=KEY, how="anti").collect(engine="streaming")
    without_report = _per_source(shards.select(*KEY).join(dropped.lazy(), on=KEY, how="semi"))
    stored = {
        row["source"]: row
        for row in shards.group_by("source")
        .agg(
            pl.len().alias("records"),
            pl.col("patient_id").n_unique().alias("patients"),
            *[(pl.col("split") == split).sum().alias(split) for split in SPLITS],
        )
        .collect(engine="streaming")
        .iter_rows(named=True)
    }
    rows = []
    for source in dict.fromkeys([*sources, *quarantine["source"]]):
        this = pl.col("source") == source
        here, lost = stored.get(source, {}), missing.filter(this)
        unusable_entries = unlisted.filter(this).height
        quarantined = lost.join(dropped, on=KEY, how="semi").height
        rows.append(
            SourceFlow(
                source=source,
                listed=listed.get(source, 0) + unusable_entries,
                unusable_entries=unusable_entries,
                in_manifest=listed.get(source, 0),
                quarantined=quarantined,
                unexplained=lost.height - quarantined,
                in_shards=here.get("records", 0),
                patients=here.get("patients", 0),
                splits={split: here.get(split, 0) for split in SPLITS},
                without_report=without_report.get(source, 0),
            )
        )
    return rows


def _per_source(records: pl.LazyFrame) -> dict[str, int]:
    return dict(records.group_by("source").len().collect(engine="streaming").iter_rows())


def general(reason: str) -> str:
    """Write a reason without its numbers and the names of files, so that like reasons are counted together.

    >>> general("lead V1 is flat for 4.2 s"), general("records500/00021_hr.dat: 5 of 10.5 MB")
    ('lead V1 is flat for # s', '#/#.dat: # of # MB')
    """
    return _NUMBER.sub("#", _NAME.sub("#", _NUMBER.sub("#", reason)))


def count_like(table: pl.LazyFrame, column: str, by: Sequence[str]) -> pl.DataFrame:
    """Count rows by ``by`` and by ``column`` without its numbers, the most frequent first."""
    counted = table.group_by(*by, column).agg(pl.len().alias("records")).collect(engine="streaming")
    written = counted[column].unique().to_list()
    shortened = pl.col(column).replace_strict(written, [general(text) for text in written], return_dtype=pl.String)
    summed = counted.with_columns(shortened).group_by(*by, column).agg(pl.col("records").sum())
    return summed.sort("records", *by, column, descending=[True] + [False] * (len(by) + 1))


def quarantine_reasons(quarantine: pl.DataFrame) -> pl.DataFrame:
    """Count the reasons of the quarantine per stage and source."""
    return count_like(quarantine.lazy(), "reason", ["stage", "source"])


def flag_counts(shards: pl.LazyFrame) -> pl.DataFrame:
    """Count the quality remarks of the shards per source."""
    remarks = shards.select("source", pl.col("flags").alias("flag")).explode("flag").drop_nulls("flag")
    return count_like(remarks, "flag", ["source"])
