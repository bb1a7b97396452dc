"""Add the recovered features to the reports: those that the filter accepted, or a control to compare them with."""

import argparse

import numpy as np

from fgclep.config.section import Seeded
from fgclep.keys import KEY, record_names
from fgclep.language.reports import feature_text_ids
from fgclep.language.vocabulary import load_vocabulary
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, write_table
from fgclep.verification.augmentation import add_texts, choose_features
from fgclep.verification.known import judged


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, Seeded)
    parser.add_argument("--features", required=True, help="filtered, none, unfiltered, random or shuffled")
    parser.add_argument("--audit", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--reports", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--output", required=True, help="reports with the features")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the reports (schema ``REPORTS``), features after the statements, in the vocabulary's order."""
    settings: Seeded = args.settings
    vocabulary = load_vocabulary(args.vocabulary)
    feature_texts = np.array(feature_text_ids(read_table(args.texts, TEXTS, ["text"])["text"].to_pylist(), vocabulary))
    reports = read_table(args.reports, REPORTS)
    nothing = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    parts = zip(nothing, *judged(args.audit, vocabulary, record_names(reports)), strict=True)
    record, feature, accepted = (np.concatenate(part) for part in parts)
    owner, chosen = choose_features(args.features, record, feature, accepted, settings.seed)
    text_ids = add_texts(reports["text_ids"].combine_chunks(), owner, feature_texts[chosen])
    write_table(reports.select(KEY).append_column("text_ids", text_ids), args.output, REPORTS)


if __name__ == "__main__":
    run_stage(main, arguments())
