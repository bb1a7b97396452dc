"""Convert one chunk's archive to a Parquet shard: integers in canonical leads, with gain and quality remarks."""

import argparse
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

import pyarrow.compute as pc

from fgclep.config.data import ShardSettings
from fgclep.errors import UserError, reason_of
from fgclep.fetch.archive import ArchiveReader
from fgclep.files import scratch_folder
from fgclep.header import header_names, read_header, signal_path, spellings
from fgclep.progress import progress
from fgclep.recordings.memory_folder import memory_folder
from fgclep.recordings.wfdb_file import read_record
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.schemas.shards import SHARD
from fgclep.signals.encoding import encode_waveform
from fgclep.signals.quality import usable_record
from fgclep.signals.record import LONGEST_SECONDS, Record
from fgclep.sources import get_source
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, table_writer, write_table

LOG = logging.getLogger(__name__)
ROWS_PER_GROUP = 256  # records that a reader holds at a time
_LARGE = 2**26  # bytes of a record's files, above which they are not held in memory


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ShardSettings)
    parser.add_argument("--source", required=True, help="key of the database")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--unavailable", type=Path, required=True, help="table of the records that are not in it")
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quarantine", type=Path, required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the shard, in the order of the manifest, and the records that cannot be used, with reasons.

    Raises ``UserError`` if the archive lacks records of the manifest without a reason.
    """
    settings: ShardSettings = args.settings
    source = get_source(args.source).at(settings.sampling_rate)
    table = read_table(args.manifest, MANIFEST)
    manifest = table.filter(pc.equal(table["chunk"], args.chunk)).to_pylist()
    unavailable = set(read_table(args.unavailable, QUARANTINE, ["record_id"])["record_id"].to_pylist())
    rows, quarantine, written = [], [], 0
    with (
        ArchiveReader(args.archive) as archive,
        memory_folder() as memory,
        scratch_folder(args.output) as disk,
        table_writer(args.output, SHARD) as write,
    ):
        for entry in progress(manifest, len(manifest), f"{args.source} {args.chunk}", "record"):
            names = [*header_names(entry["path"]), entry["path"]]  # the last is that of a record of one file
            header = next((name for name in names if name in archive), None)
            if header is None:
                if unavailable & {entry["path"], source.record_id(entry["path"])}:
                    continue  # fetch_records has told why
                raise UserError(
                    f"{args.archive} lacks {entry['path']}, which {args.manifest} lists: it was fetched when lists or "
                    "code were others. Delete it and run snakemake again: it is fetched anew"
                )
            with _extracted(archive, header, memory, disk) as place:
                try:
                    record = _read(place, header == entry["path"], source.gain is None)
                    record = usable_record(record, settings, source.gain, source.sampling_rate)
                    rows.append(shard_row(entry, record))
                except Exception as error:
                    key = {"source": entry["source"], "record_id": entry["record_id"]}
                    reason = reason_of(error, "/".join(key.values()))
                    quarantine.append({**key, "stage": "build_shards", "reason": reason})
            if len(rows) == ROWS_PER_GROUP:
                write(rows)
                rows, written = [], written + len(rows)
        if rows or not written:
            write(rows)
    write_table(quarantine, args.quarantine, QUARANTINE)
    LOG.info("%s, chunk %d: %d records, %d unusable", args.source, args.chunk, written + len(rows), len(quarantine))


def _read(place: Path, is_one_file: bool, rescale: bool) -> Record:
    if is_one_file:
        from fgclep.recordings.read import read_file  # other readers than a database needs

        return read_file(place)
    return read_record(place, LONGEST_SECONDS, rescale=rescale)


@contextmanager
def _extracted(archive: ArchiveReader, header: str, memory: Path, disk: Path) -> Iterator[Path]:
    """Yield the place of a record's header, beside or below which are its signal files, or of its one file.

    They lie in memory, or on disk if they are large, and are deleted afterwards. Reading misses what the archive lacks.
    """
    folder, name = PurePosixPath(header).parent, PurePosixPath(header).name
    files: list[PurePosixPath] = []
    if name.lower().endswith(".hea"):
        with suppress(ValueError):  # reading says why
            files = [folder / signal_path(file) for file in read_header(archive.extract(header, memory / name)).files]
    found = [
        str(file.with_name(name)) for file in files for name in spellings(file.name) if file.with_name(name) in archive
    ]
    place = disk if sum(map(archive.size, found or [header])) > _LARGE else memory
    try:
        for file in [header, *found]:
            archive.extract(file, place / PurePosixPath(file).relative_to(folder))
        yield place / name
    finally:
        for work in {memory, place}:
            for left in work.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()


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
        "flags": list(record.remarks),
    }


if __name__ == "__main__":
    run_stage(main, arguments())
