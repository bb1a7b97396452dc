"""Convert one chunk's archive to a Parquet shard: integers in canonical leads, with gain and quality remarks."""

import argparse
import logging
import tempfile
from pathlib import Path

import pyarrow as pa

from fgclep.archive import ArchiveReader
from fgclep.quality import remarks, why_unusable
from fgclep.schemas import MANIFEST, QUARANTINE, SHARD, read_table, write_table
from fgclep.shards import encode_waveform
from fgclep.stage import progress, run_stage, stage_parser
from fgclep.wfdb_reader import Record, read_record

LOG = logging.getLogger(__name__)
ROWS_PER_GROUP = 256  # records that a reader holds at a time


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--source", required=True, help="key of the database")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quarantine", type=Path, required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the shard, in the order of the manifest, and the records that cannot be used, with reasons."""
    table = read_table(args.manifest, MANIFEST)
    manifest = [row for row in table.to_pylist() if row["chunk"] == args.chunk]
    groups, rows, quarantine = [], [], []
    with ArchiveReader(args.archive) as archive:
        for entry in progress(manifest, len(manifest), f"{args.source} {args.chunk}", "record"):
            names = [entry["path"] + suffix for suffix in (".hea", ".dat", ".mat")]
            names = [name for name in names if name in archive]
            if not names:
                continue  # fetch_records has told why
            try:
                rows.append(_convert(archive, names, entry))
            except ValueError as error:
                key = {"source": entry["source"], "record_id": entry["record_id"]}
                quarantine.append({**key, "stage": "build_shards", "reason": str(error)})
            if len(rows) == ROWS_PER_GROUP:
                groups.append(pa.Table.from_pylist(rows, schema=SHARD))
                rows = []
    groups.append(pa.Table.from_pylist(rows, schema=SHARD))
    shard = pa.concat_tables(groups)
    write_table(shard, args.output, SHARD, row_group_size=ROWS_PER_GROUP)
    write_table(quarantine, args.quarantine, QUARANTINE)
    LOG.info("%s, chunk %d: %d records, %d unusable", args.source, args.chunk, len(shard), len(quarantine))


def _convert(archive: ArchiveReader, names: list[str], entry: dict) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        archive.extract(names, Path(folder))
        record = read_record(Path(folder) / Path(entry["path"]).name)
    if reason := why_unusable(record):
        raise ValueError(reason)
    return shard_row(entry, record)


def shard_row(entry: dict, record: Record) -> dict:
    """Row of a shard; age, sex and codes come from the record's header where its row of the manifest has none."""
    return {
        **{name: entry[name] for name in ("source", "record_id", "patient_id", "split")},
        "age": record.age if entry["age"] is None else entry["age"],
        "sex": record.sex if entry["sex"] is None else entry["sex"],
        "codes": list(record.codes) if entry["codes"] is None else entry["codes"],
        "sampling_rate": record.sampling_rate,
        "n_samples": record.digital.shape[1],
        "gain": record.gain.tolist(),
        "baseline": record.baseline.tolist(),
        "waveform": encode_waveform(record.digital),
        "flags": remarks(record),
    }


if __name__ == "__main__":
    run_stage(main, arguments())
