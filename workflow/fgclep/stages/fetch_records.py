"""Fetch one chunk of a database's records into one archive, checked against their checksums."""

import argparse
import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from fgclep.archive import ArchiveWriter
from fgclep.download import Database, FileUnavailable, open_database
from fgclep.listing import CHECKSUMS, read_checksums, record_files
from fgclep.schemas import MANIFEST, QUARANTINE, read_table, write_table
from fgclep.sources import get_source
from fgclep.stage import progress, run_stage, stage_parser

LOG = logging.getLogger(__name__)
_AT_ONCE = 256  # records on their way at a time


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--source", required=True, help="key of the database")
    parser.add_argument("--base", required=True, help="URL or folder that holds <slug>/<version>/")
    parser.add_argument("--version", required=True)
    parser.add_argument("--metadata", type=Path, required=True, help="folder that fetch_metadata wrote")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="the archive")
    parser.add_argument("--quarantine", type=Path, required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the archive and the records whose files are missing or damaged.

    What was fetched before an interruption waits beside the archive and is used again if its checksum is right.
    """
    source = get_source(args.source)
    table = read_table(args.manifest, MANIFEST, ["record_id", "path", "chunk"])
    records = sorted((row["path"], row["record_id"]) for row in table.to_pylist() if row["chunk"] == args.chunk)
    wanted = {path + suffix for path, _ in records for suffix in (".hea", ".dat", ".mat")}
    checksums = read_checksums(args.metadata / CHECKSUMS, wanted)
    scratch = args.output.with_name(f".{args.output.name}.parts")
    quarantine = []
    with (
        open_database(source.key, args.base, source.slug, args.version, args.settings) as database,
        ArchiveWriter(args.output) as archive,
        ThreadPoolExecutor(args.settings["parallel"]) as pool,
    ):
        fetch = partial(_fetch, database, scratch, checksums)
        places = (
            place
            for start in range(0, len(records), _AT_ONCE)
            for place in pool.map(fetch, records[start : start + _AT_ONCE])
        )
        for (_, record_id), found in progress(
            zip(records, places, strict=True), len(records), f"{source.key} {args.chunk}", "record"
        ):
            if isinstance(found, str):
                LOG.warning("%s/%s: %s", source.key, record_id, found)
                quarantine.append(
                    {"source": source.key, "record_id": record_id, "stage": "fetch_records", "reason": found}
                )
                continue
            for name, place in found:
                archive.add(name, place)
    write_table(quarantine, args.quarantine, QUARANTINE)
    if scratch.exists():
        shutil.rmtree(scratch)
    LOG.info("%s, chunk %d: %d records, %d without files", source.key, args.chunk, len(records), len(quarantine))


def _fetch(
    database: Database, scratch: Path, checksums: dict[str, str], record: tuple[str, str]
) -> list[tuple[str, Path]] | str:
    """Return name and place of a record's files, or why they cannot be had."""
    try:
        return [(name, database.get(name, scratch, checksums[name])) for name in record_files(record[0], checksums)]
    except FileUnavailable as error:
        return str(error)


if __name__ == "__main__":
    run_stage(main, arguments())
