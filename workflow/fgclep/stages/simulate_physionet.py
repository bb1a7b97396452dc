"""Simulate one database in its native layout, and write the truth about it beside."""

import argparse
import multiprocessing
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from fgclep.config.simulation import DatabaseSettings, RecordingSettings
from fgclep.errors import UserError
from fgclep.files import whole_folder
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.progress import progress
from fgclep.schemas.truth import TRUTH
from fgclep.simulation.databases import challenge, mimic_iv_ecg, ptb_xl
from fgclep.simulation.databases.databases import Made, Plan, keep_freed_memory, plan_database, write_files, write_lists
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import write_table

Maker = Callable[[Plan, Vocabulary, RecordingSettings], Made]
DATABASES: dict[str, tuple[Maker, Callable[[list[dict[str, Any]]], dict[str, str]]]] = {
    "mimic-iv-ecg": (mimic_iv_ecg.make, mimic_iv_ecg.tables),
    "ptb-xl": (ptb_xl.make, ptb_xl.tables),
    "cpsc2018": (challenge.make_cpsc, challenge.cpsc_tables),
    "csn": (challenge.make_csn, challenge.csn_tables),
}
Row = tuple[str, str, dict[str, Any], tuple[str, ...], list[tuple[str, str]]]


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, DatabaseSettings)
    parser.add_argument("--source", required=True, choices=sorted(DATABASES), help="which database")
    parser.add_argument("--vocabulary", required=True, help="folder of the vocabulary")
    parser.add_argument("--output", required=True, type=Path, help="folder of the database")
    parser.add_argument("--truth", required=True, type=Path, help="table of the features that are present")
    return parser


class _Work(NamedTuple):
    """What each recording needs beside its plan."""

    vocabulary: Vocabulary
    settings: RecordingSettings
    folder: Path

    def make(self, plan: Plan) -> Row:
        """Make a recording and write its files."""
        made = DATABASES[plan.source][0](plan, self.vocabulary, self.settings)
        checksums = write_files(self.folder, made)
        return made.record_id, made.path, made.row, () if plan.damage else made.features, checksums


_WORK: list[_Work] = []  # of this process, which takes it once: the vocabulary takes longer to send than a recording


def _begin(work: _Work) -> None:
    keep_freed_memory()
    _WORK[:] = [work]


def _make(plan: Plan) -> Row:
    return _WORK[0].make(plan)


def _in_parallel(work: _Work, plans: list[Plan], workers: int) -> Iterator[Row]:
    if workers == 1:
        keep_freed_memory()
        yield from map(work.make, plans)
        return
    # numpy's own threads would only get in the way of the other processes; they read this when they start
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    with multiprocessing.get_context("spawn").Pool(workers, _begin, (work,)) as pool:
        yield from pool.imap(_make, plans, chunksize=50)


def main(args: argparse.Namespace) -> None:
    """Write the database, which appears when it is complete, and then the truth table."""
    settings: DatabaseSettings = args.settings
    source = args.source
    try:
        records = settings.records[source]
    except KeyError as error:
        raise UserError(f"--settings has no simulation.records for {source}: {error} is missing") from None
    vocabulary = load_vocabulary(args.vocabulary)
    plans = plan_database(source, settings.seed, records, settings.broken_records, settings.prevalence)
    with whole_folder(args.output) as folder:
        work = _Work(vocabulary, settings, folder)
        rows = list(progress(_in_parallel(work, plans, settings.workers), len(plans), f"simulating {source}", "ECG"))
        tables = DATABASES[source][1]([row for _, _, row, _, _ in rows])
        checksums = [entry for *_, listed in rows for entry in listed]
        write_lists(folder, sorted(path for _, path, *_ in rows), checksums, tables)
    truth = [(record_id, feature) for record_id, _, _, features, _ in rows for feature in features]
    table = pa.Table.from_arrays(
        [pa.array([source] * len(truth)), pa.array([key for key, _ in truth]), pa.array([name for _, name in truth])],
        schema=TRUTH,
    )
    write_table(table, args.truth, TRUTH)


if __name__ == "__main__":
    run_stage(main, arguments())
