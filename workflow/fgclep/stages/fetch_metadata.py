"""Fetch the record list, the checksums and the tables of one database."""

import argparse
import logging
import shutil
from pathlib import Path

from fgclep.config.transfer import TransferSection
from fgclep.errors import UserError, full_disk_explained
from fgclep.fetch.database import FileUnavailable, open_database
from fgclep.fetch.lists import CHECKSUMS, RECORDS, folder_records, read_checksums, write_folder_lists
from fgclep.fetch.origin import note_origin
from fgclep.files import whole_folder
from fgclep.progress import progress
from fgclep.sources import get_source
from fgclep.sources.source import Source
from fgclep.stage import run_stage, stage_parser

LOG = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, TransferSection)
    parser.add_argument("--source", required=True, help="key of the database")
    parser.add_argument(
        "--base", required=True, help="URL or folder that holds <slug>/<version>/, or the folder of your own"
    )
    parser.add_argument("--version", required=True, help="as in the address; empty for a folder of your own")
    parser.add_argument("--output", type=Path, required=True, help="folder for the metadata")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the metadata; what the checksums list is checked against them.

    Which files there are is the layout that ``fetch.formats.METADATA`` numbers.
    """
    source = get_source(args.source)
    with whole_folder(args.output) as folder:
        note_origin(folder, args.base, source.slug, args.version)
        if source.is_own_folder:
            _describe_folder(source, Path(args.base), folder)
        else:
            _fetch(source, args, folder)
    LOG.info("%s: metadata of %s/%s in %s", source.key, source.slug, args.version, args.output)


def _fetch(source: Source, args: argparse.Namespace, output: Path) -> None:
    """Fetch the lists and tables; what an interrupted run has fetched waits beside the output and is used again."""
    names = (RECORDS, *source.tables)
    scratch = args.output.with_name(f".{args.output.name}.parts")
    with (
        full_disk_explained(args.output.parent, f"the metadata of {source.key}", lambda: None),
        open_database(source.key, args.base, source.slug, args.version, args.settings) as database,
    ):
        try:
            shutil.copyfile(database.get(CHECKSUMS, scratch), output / CHECKSUMS)
            checksums = read_checksums(output / CHECKSUMS, set(names))
            for name in progress(names, len(names), f"{source.key} metadata", "file"):
                shutil.copyfile(database.get(name, scratch, checksums.get(name)), output / name)
        except FileUnavailable as error:
            raise UserError(
                f"{error}. {source.slug}/{args.version} at {args.base} is incomplete or damaged: mend it, or set "
                f"data.sources.{source.key}.base to another copy, such as https://physionet.org/files"
            ) from error
    if scratch.exists():
        shutil.rmtree(scratch)


def _describe_folder(source: Source, folder: Path, output: Path) -> None:
    """Copy the tables of a folder of the user's own, check them, and make the lists."""
    for name in source.tables:
        if not (folder / name).is_file():
            raise UserError(
                f"{folder / name} does not exist; docs/own-data.md shows how to write it. The folder is set by\n\n"
                f"    data:\n      sources:\n        {source.key}:\n          base: path/to/your/records"
            )
        shutil.copyfile(folder / name, output / name)
    count = write_folder_lists(folder, output)
    source.records(folder, set(folder_records(output)[0]))  # here the mistakes are told with the user's own paths
    LOG.info("%s: %d records below %s", source.key, count, folder)


if __name__ == "__main__":
    run_stage(main, arguments())
