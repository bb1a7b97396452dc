"""Fetch the published split of a task, checked against the checksums in the task's file."""

import argparse
import csv
import io
import logging
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from fgclep.config.transfer import TransferSection
from fgclep.documents import read_text
from fgclep.errors import UserError
from fgclep.evaluation.tasks import PublishedSplit, load_task
from fgclep.fetch.database import FileUnavailable, is_url, open_database
from fgclep.files import scratch_folder
from fgclep.schemas.splits import SPLIT
from fgclep.sources import get_source
from fgclep.sources.source import Source
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import write_table

LOG = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, TransferSection)
    parser.add_argument("--task-file", type=Path, required=True, help="YAML file of the task")
    parser.add_argument("--base", required=True, help="URL or folder below which the files of the split lie")
    parser.add_argument("--output", type=Path, required=True, help="Parquet file named like the task")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write source, record id and split of every record that the split lists.

    The table's layout, and which id a path gives, have the number ``fetch.formats.SPLIT``.
    """
    task = load_task(args.task_file)
    if task.split is None:
        raise UserError(f"{args.task_file} names no split; it is evaluated on that of {task.source}")
    if not is_url(args.base) and not Path(args.base).is_dir():
        raise UserError(
            f"the folder {args.base} does not exist. Give the folder or URL that holds "
            f"{task.split.files[0].path}:\n\n    evaluation:\n      splits_base: path/to/it"
        )
    source = get_source(task.source)
    found: dict[str, str] = {}
    # below the base itself: a split has neither slug nor version
    with open_database(task.name, args.base, "", "", args.settings) as files, scratch_folder(args.output) as scratch:
        for file in task.split.files:
            try:
                place = files.get(file.path, scratch, file.sha256)
            except FileUnavailable as error:
                raise UserError(f"{error}. Is evaluation.splits_base right? The sums are in {args.task_file}") from None
            for record_id in record_ids(place, task.split, source):
                if found.setdefault(record_id, file.split) != file.split:
                    raise UserError(f"{file.path}: {record_id} is also in the split {found[record_id]}")
    rows = [{"source": task.source, "record_id": name, "split": found[name]} for name in sorted(found)]
    write_table(rows, args.output, SPLIT)
    counts = ", ".join(f"{sum(found[name] == f.split for name in found)} {f.split}" for f in task.split.files)
    LOG.info("%s: %s", task.name, counts)


def record_ids(place: Path, split: PublishedSplit, source: Source) -> Iterator[str]:
    """Yield the ids of the records whose paths a file of a split lists."""
    reader = csv.DictReader(io.StringIO(read_text(place), newline=""))
    try:
        if split.column not in (reader.fieldnames or []):
            raise UserError(f"{place}: column {split.column!r} is missing, which the task's file names")
        for row in reader:
            path = PurePosixPath(row[split.column] or "")
            if not path.name:
                raise UserError(f"{place}, line {reader.line_num}: no path in the column {split.column!r}")
            yield source.record_id(str(path.with_suffix("")))
    except csv.Error as error:
        raise UserError(f"{place}, line {reader.line_num}: {error}") from None


if __name__ == "__main__":
    run_stage(main, arguments())
