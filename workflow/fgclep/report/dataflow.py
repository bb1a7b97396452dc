"""What became of every record: counts per source, and the reasons for those left out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

KEY = ("source", "record_id")
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
    """Count the records of every source, in the order of the manifests."""
    listed = manifest.select(*KEY).collect()
    stored = shards.select(*KEY, "patient_id", "split").collect()
    dropped = quarantine.select(*KEY).unique()
    missing = listed.join(stored, on=KEY, how="anti")
    rows = []
    for source in [*dict.fromkeys([*listed["source"], *quarantine["source"]])]:
        this = pl.col("source") == source
        here, lost = stored.filter(this), missing.filter(this)
        in_manifest, out = listed.filter(this), dropped.filter(this)
        unlisted = out.join(in_manifest, on=KEY, how="anti").height
        quarantined = lost.join(out, on=KEY, how="semi").height
        rows.append(
            SourceFlow(
                source=source,
                listed=in_manifest.height + unlisted,
                unusable_entries=unlisted,
                in_manifest=in_manifest.height,
                quarantined=quarantined,
                unexplained=lost.height - quarantined,
                in_shards=here.height,
                patients=here["patient_id"].n_unique(),
                splits={split: here.filter(pl.col("split") == split).height for split in SPLITS},
                without_report=here.join(out, on=KEY, how="semi").height,
            )
        )
    return rows


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
