"""Clean the reports' statements, parse them against the vocabulary, and give every distinct text an id."""

import argparse

from fgclep.reports import Report, parse_reports
from fgclep.schemas import MANIFEST, QUARANTINE, REPORTS, TEXTS, read_table, write_table
from fgclep.stage import UserError, progress, run_stage, stage_parser
from fgclep.vocabulary import load_vocabulary


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--manifests", nargs="+", required=True)
    parser.add_argument(
        "--vocabulary", required=True, help="folder of features.yaml, diagnoses.yaml, administrative.yaml"
    )
    parser.add_argument("--texts", required=True)
    parser.add_argument("--reports", required=True)
    parser.add_argument("--quarantine", required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write distinct texts, reports as text ids, and the reports that are of no use."""
    rows: list[Report] = []
    for path in progress(args.manifests, len(args.manifests), "manifests"):
        table = read_table(path, MANIFEST, ["source", "record_id", "report"])
        rows += zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
    parsed = parse_reports(rows, load_vocabulary(args.vocabulary), args.settings["min_words"])
    if not parsed.reports.num_rows:
        raise UserError(
            f"{args.manifests}: none of the {len(rows)} records has a usable report; pre-training needs a source with "
            "reports (data.sources with role: pretrain), or a lower reports.min_words"
        )
    write_table(parsed.texts, args.texts, TEXTS)
    write_table(parsed.reports, args.reports, REPORTS)
    write_table(parsed.quarantine, args.quarantine, QUARANTINE)


if __name__ == "__main__":
    run_stage(main, arguments())
