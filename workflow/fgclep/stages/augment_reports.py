"""Add the recovered features to the reports: those that the filter accepted, or a control to compare them with."""

import argparse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fgclep.config.section import Seeded
from fgclep.errors import UserError
from fgclep.keys import KEY, located, record_names
from fgclep.language.reports import feature_text_ids
from fgclep.language.vocabulary import load_vocabulary
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, write_table
from fgclep.verification.augmentation import add_texts, choose_features


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
    records, names = record_names(reports), pa.array(list(vocabulary.features))
    record, feature, accepted = ([np.zeros(0, dtype=kind)] for kind in (np.int64, np.int64, bool))
    for place, table in located(args.audit, AUDIT, ["feature", "accepted"], records):
        number = pc.index_in(table["feature"], value_set=names)
        if number.null_count:
            unknown = table.filter(pc.is_null(number))["feature"][0]
            raise UserError(
                f"{args.audit}: the feature {unknown} is not in the vocabulary; delete the file and run again"
            )
        record.append(place)
        feature.append(number.to_numpy().astype(np.int64))
        accepted.append(table["accepted"].to_numpy())
    pairs = np.concatenate(record), np.concatenate(feature), np.concatenate(accepted)
    owner, chosen = choose_features(args.features, *pairs, seed=settings.seed)
    text_ids = add_texts(reports["text_ids"].combine_chunks(), owner, feature_texts[chosen])
    write_table(reports.select(KEY).append_column("text_ids", text_ids), args.output, REPORTS)


if __name__ == "__main__":
    run_stage(main, arguments())
