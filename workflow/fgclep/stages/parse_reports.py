"""Clean the reports' statements, parse them against the vocabulary, and give every distinct text an id."""

import argparse
from collections.abc import Iterable, Iterator

from fgclep.config.reports import ReportsSection
from fgclep.errors import UserError
from fgclep.keys import KEY
from fgclep.language.reports import Report, parse_reports
from fgclep.language.vocabulary import load_vocabulary
from fgclep.progress import progress
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, write_table

PART = 20_000  # reports at once as Python objects


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ReportsSection)
    parser.add_argument("--manifests", nargs="+", required=True)
    parser.add_argument(
        "--vocabulary", required=True, help="folder of features.yaml, diagnoses.yaml, administrative.yaml"
    )
    parser.add_argument("--texts", required=True)
    parser.add_argument("--reports", required=True)
    parser.add_argument("--quarantine", required=True)
    return parser


def _reports(manifests: Iterable[str]) -> Iterator[Report]:
    for path in manifests:
        for batch in read_table(path, MANIFEST, [*KEY, "report"]).to_batches(max_chunksize=PART):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def main(args: argparse.Namespace) -> None:
    """Write distinct texts, reports as text ids, and the reports that are of no use."""
    settings: ReportsSection = args.settings
    reports = _reports(progress(args.manifests, len(args.manifests), "manifests"))
    parsed = parse_reports(reports, load_vocabulary(args.vocabulary), settings.min_words, settings.vocabulary_words)
    if not parsed.reports.num_rows:
        raise UserError(
            f"{args.manifests}: none of the {parsed.quarantine.num_rows} records has a usable report; pre-training "
            "needs a source with reports (data.sources with role: pretrain or both), or a lower reports.min_words"
        )
    write_table(parsed.texts, args.texts, TEXTS)
    write_table(parsed.reports, args.reports, REPORTS)
    write_table(parsed.quarantine, args.quarantine, QUARANTINE)


if __name__ == "__main__":
    run_stage(main, arguments())
