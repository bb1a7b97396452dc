"""Fetch one chunk of a database's records into one archive, checked against their checksums."""

import argparse
import logging
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from fgclep.config.data import RecordsSettings
from fgclep.errors import full_disk_explained
from fgclep.fetch.archive import add_list, archive_writer
from fgclep.fetch.database import Database, FileUnavailable, FolderDatabase, is_url, open_database
from fgclep.fetch.lists import CHECKSUMS, complete_records, folder_records, record_checksums, record_files
from fgclep.fetch.manifest import drawn_paths
from fgclep.fetch.progress import TransferProgress
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.sources import get_source
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import write_table

LOG = logging.getLogger(__name__)
_AT_ONCE = 256  # records on their way at a time
T = TypeVar("T")
R = TypeVar("R")


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, RecordsSettings)
    parser.add_argument("--source", required=True, help="key of the database")
    parser.add_argument("--base", required=True, help="URL or folder that holds <slug>/<version>/")
    parser.add_argument("--version", required=True)
    parser.add_argument("--metadata", type=Path, required=True, help="folder that fetch_metadata wrote")
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--chunks", type=int, required=True, help="how many there are")
    parser.add_argument("--output", type=Path, required=True, help="the archive")
    parser.add_argument("--quarantine", type=Path, required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the archive and the records whose files are missing or damaged (schema ``QUARANTINE``).

    Which records belong to the chunk, the archive and the table are the layout that ``fetch.formats.ARCHIVE`` numbers.
    What was fetched before an interruption waits beside the archive and is used again if its checksum is right.
    """
    settings: RecordsSettings = args.settings
    source = get_source(args.source).at(settings.sampling_rate)

    limited = None if settings.limit is None else drawn_paths(source, args.metadata, settings.limit)

    def is_wanted(record: str) -> bool:
        return source.chunk_of(record, args.chunks) == args.chunk and (limited is None or record in limited)

    if source.is_own_folder:
        all_files, _, checksums = folder_records(args.metadata)
        files = {record: all_files[record] for record in sorted(filter(is_wanted, all_files))}
    else:
        checksums = record_checksums(args.metadata / CHECKSUMS, source.folder, is_wanted)
        files = {record: record_files(record, checksums) for record in complete_records(checksums)}
    records = list(files)
    scratch = args.output.with_name(f".{args.output.name}.parts")
    fetch = partial(_fetch, scratch=scratch, files=files, checksums=checksums)
    published = source.published
    name = f"{source.key} {args.chunk}"
    counted = TransferProgress(name, len(records), published.record_bytes if published else None)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    needed = partial(_bytes_needed, counted, scratch if is_url(args.base) else None)
    quarantine: list[dict] = []
    added: set[str] = set()
    with (
        counted,
        full_disk_explained(args.output.parent, f"chunk {args.chunk} of {source.key}", needed),
        open_database(source.key, args.base, source.slug, args.version, settings) as database,
        archive_writer(args.output) as add,
        ThreadPoolExecutor(settings.parallel) as pool,
        closing(_in_order(pool, partial(fetch, database), records)) as found_in_order,
    ):
        for record, found in zip(records, found_in_order, strict=True):
            if isinstance(found, str):
                record_id = record if source.is_own_folder else source.record_id(record)
                LOG.warning("%s/%s: %s", source.key, record_id, found)
                quarantine.append(
                    {"source": source.key, "record_id": record_id, "stage": "fetch_records", "reason": found}
                )
                counted.fail()
                continue
            for path, place in found:
                if path not in added:  # which two headers may name
                    if not settings.in_place:
                        add(path, place)
                    added.add(path)
            counted.add(sum(place.stat().st_size for _, place in found))
        if isinstance(database, FolderDatabase) and settings.in_place:
            add_list(add, database.folder, added)
    write_table(quarantine, args.quarantine, QUARANTINE)
    if scratch.exists():
        shutil.rmtree(scratch)
    LOG.info(
        "%s: %d records, %.1f MB, %d records without files",
        *(name, counted.arrived, counted.bytes / 1e6, counted.failed),
    )


def _in_order(pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
    """Yield the results in the order of the items, with at most ``_AT_ONCE`` begun and not yet yielded.

    Close it after an error, or the pool works on what waits before the error is seen.
    """
    waiting = iter(items)
    begun: deque[Future[R]] = deque(pool.submit(function, item) for item in islice(waiting, _AT_ONCE))
    try:
        while begun:
            yield begun.popleft().result()
            begun.extend(pool.submit(function, item) for item in islice(waiting, 1))
    finally:
        pool.shutdown(cancel_futures=True)


def _bytes_needed(counted: TransferProgress, scratch: Path | None) -> int | None:
    """Bytes still to be written: the archive, and the files that have not been fetched, unless read in place."""
    total = counted.estimated_bytes()
    if total is None or scratch is None:
        return total
    fetched = sum(file.stat().st_size for file in scratch.rglob("*") if file.is_file())
    return total + max(0, total - fetched)


def _fetch(
    database: Database, record: str, *, scratch: Path, files: dict[str, list[str]], checksums: dict[str, str]
) -> list[tuple[str, Path]] | str:
    """Return name and place of a record's files, or why they cannot be had."""
    try:
        return [(name, database.get(name, scratch, checksums[name])) for name in files[record]]
    except FileUnavailable as error:
        return str(error)


if __name__ == "__main__":
    run_stage(main, arguments())
