"""The stages of a source one after another, without Snakemake."""

import json
from pathlib import Path

from fgclep.config.data import ShardSettings
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.measurements import MEASUREMENTS
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.schemas.shards import SHARD
from fgclep.sources import get_source
from fgclep.stages import build_manifest as build_manifest_stage
from fgclep.stages import build_shards, collect_quarantine, fetch_metadata, fetch_records, measure_waveforms
from fgclep.tables import read_table

TRANSFER = '{"parallel": 2, "timeout_seconds": 5, "retries": 0}'


class Road:
    """The stages of one source, from a base to measurements, in a folder."""

    def __init__(self, key: str, base: str | Path, folder: Path, in_place: bool = False, **choice: int):
        """``choice`` are the settings ``sampling_rate``, ``test_fold`` and ``limit`` of the source."""
        self.key, self.base, self.folder = key, str(base), folder
        self.choice = json.dumps(choice)
        self.rate = {"sampling_rate": choice.get("sampling_rate")}
        self.fetched = self.rate | {"limit": choice.get("limit"), "in_place": in_place}
        self.version = get_source(key).version or ""

    def _run(self, stage, *options: str | Path) -> None:
        stage.main(stage.arguments().parse_args(["--source", self.key, *map(str, options)]))

    def metadata(self) -> None:
        self._run(
            fetch_metadata,
            *("--base", self.base, "--version", self.version, "--settings", TRANSFER),
            *("--output", self.folder / "metadata"),
        )

    def manifest(self) -> list[dict]:
        self._run(
            build_manifest_stage,
            *("--metadata", self.folder / "metadata", "--chunks", "1", "--settings", self.choice),
            *("--output", self.folder / "manifest.parquet", "--quarantine", self.folder / "q-manifest.parquet"),
        )
        return read_table(self.folder / "manifest.parquet", MANIFEST).to_pylist()

    def records(self) -> Path:
        self._run(
            fetch_records,
            *("--base", self.base, "--version", self.version),
            *("--settings", json.dumps(json.loads(TRANSFER) | self.fetched)),
            *("--metadata", self.folder / "metadata", "--chunk", "0", "--chunks", "1"),
            *("--output", self.folder / "0.tar", "--quarantine", self.folder / "q-fetch.parquet"),
        )
        return self.folder / "0.tar"

    def shard(self) -> list[dict]:
        self._run(
            build_shards,
            *("--manifest", self.folder / "manifest.parquet", "--archive", self.folder / "0.tar", "--chunk", "0"),
            *("--unavailable", self.folder / "q-fetch.parquet"),
            *("--output", self.folder / "shard.parquet", "--quarantine", self.folder / "q-shards.parquet"),
            *("--settings", ShardSettings(**self.rate).model_dump_json()),
        )
        return read_table(self.folder / "shard.parquet", SHARD).to_pylist()

    def measurements(self, workers: int = 1) -> list[dict]:
        self._run(
            measure_waveforms,
            *("--metadata", self.folder / "metadata", "--shards", self.folder / "shard.parquet"),
            *("--settings", f'{{"intervals": "database", "workers": {workers}}}'),
            *("--output", self.folder / "measurements.parquet"),
        )
        return read_table(self.folder / "measurements.parquet", MEASUREMENTS).to_pylist()

    def quarantine(self) -> dict[str, tuple[str, str]]:
        """Record id -> stage and reason, of all stages so far, as ``collect_quarantine`` joins them."""
        tables = sorted(self.folder.glob("q-*.parquet"))
        output = self.folder / "quarantine.parquet"
        arguments = ["--inputs", *map(str, tables), "--output", str(output)]
        collect_quarantine.main(collect_quarantine.arguments().parse_args(arguments))
        rows = read_table(output, QUARANTINE).to_pylist()
        return {row["record_id"]: (row["stage"], row["reason"]) for row in rows}

    def all(self) -> list[dict]:
        self.metadata()
        self.manifest()
        self.records()
        return self.shard()
